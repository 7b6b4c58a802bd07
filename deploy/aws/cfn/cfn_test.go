package cfn

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// base is a template around one property, with something of each kind to speak of.
const base = `{
	"Description": "a template",
	"Parameters": {
		"Text": {"Type": "String", "Default": "t"},
		"Empty": {"Type": "String", "Default": ""},
		"List": {"Type": "CommaDelimitedList", "Default": "a, b ,c"},
		"None": {"Type": "CommaDelimitedList", "Default": ""},
		"Number": {"Type": "Number", "Default": 10, "MinValue": 1}
	},
	"Conditions": {
		"Yes": {"Fn::Equals": [{"Ref": "Text"}, "t"]},
		"No": {"Fn::Not": [{"Condition": "Yes"}]},
		"Both": {"Fn::And": [{"Condition": "Yes"}, {"Condition": "No"}]},
		"Either": {"Fn::Or": [{"Condition": "No"}, {"Condition": "Yes"}]},
		"HasList": {"Fn::Not": [{"Fn::Equals": [{"Fn::Join": ["", {"Ref": "List"}]}, ""]}]},
		"HasNone": {"Fn::Not": [{"Fn::Equals": [{"Fn::Join": ["", {"Ref": "None"}]}, ""]}]},
		"Ten": {"Fn::Equals": [{"Ref": "Number"}, 10]}
	},
	"Resources": {
		"R": {"Type": "A::B::C", "DependsOn": ["There", "Gone"], "DeletionPolicy": "Retain", "Properties": {"P": %s}},
		"There": {"Type": "A::B::C", "Condition": "Yes"},
		"Gone": {"Type": "A::B::C", "Condition": "No", "Properties": {"Never": {"Fn::Unknown": []}}}
	},
	"Outputs": {
		"Out": {"Condition": "Yes", "Value": {"Fn::GetAtt": ["R", "Arn"]}, "Description": "d"},
		"Lost": {"Condition": "No", "Value": {"Ref": "Gone"}}
	}
}`

var here = map[string]string{"AWS::Region": "us-west-2", "AWS::Partition": "aws"}

func TestFunctions(t *testing.T) {
	for property, want := range map[string]string{
		`"plain"`:                           `"plain"`,
		`{"a": [1, true, null, "x"]}`:       `{"a": [1, true, null, "x"]}`,
		`{"Condition": {"Bool": {"k": 1}}}`: `{"Condition": {"Bool": {"k": 1}}}`, // of a policy
		`{"Ref": "Text"}`:                   `"t"`,
		`{"Ref": "List"}`:                   `["a", "b", "c"]`,
		`{"Ref": "Number"}`:                 `"10"`,
		`{"Ref": "AWS::Region"}`:            `"us-west-2"`,
		`{"Ref": "There"}`:                  `"<There>"`,
		`{"Fn::GetAtt": ["There", "Arn"]}`:  `"<There.Arn>"`,
		`{"Fn::GetAtt": "There.A.B"}`:       `"<There.A.B>"`,

		`{"Fn::If": ["Yes", 1, 2]}`:                                      `1`,
		`{"Fn::If": ["No", {"Ref": "Gone"}, {"Ref": "There"}]}`:          `"<There>"`,
		`{"Fn::If": ["Both", 1, {"Fn::If": ["Either", 2, 3]}]}`:          `2`,
		`[{"Fn::If": ["HasList", 1, 2]}, {"Fn::If": ["HasNone", 1, 2]}]`: `[1, 2]`,
		`{"Fn::If": ["Ten", "as a text", "not at all"]}`:                 `"as a text"`,

		// What is absent leaves nothing behind, whatever it stands in.
		`[1, {"Ref": "AWS::NoValue"}, 2]`:                          `[1, 2]`,
		`[{"Fn::If": ["No", 1, {"Ref": "AWS::NoValue"}]}]`:         `[]`,
		`{"a": {"Ref": "AWS::NoValue"}, "b": 1}`:                   `{"b": 1}`,
		`{"Fn::Join": [",", ["a", {"Ref": "AWS::NoValue"}, "b"]]}`: `"a,b"`,

		`{"Fn::Join": ["-", ["a", {"Ref": "Number"}, 1.5, true, {"Ref": "There"}]]}`: `"a-10-1.5-true-<There>"`,
		`{"Fn::Join": ["", []]}`:                                         `""`,
		`{"Fn::Join": [",", {"Ref": "List"}]}`:                           `"a,b,c"`,
		`{"Fn::Split": [",", {"Fn::Join": [",", ["x", "a,b"]]}]}`:        `["x", "a", "b"]`,
		`{"Fn::Split": [",", ""]}`:                                       `[""]`,
		`{"Fn::Select": ["1", {"Ref": "List"}]}`:                         `"b"`,
		`{"Fn::Select": [0, {"Fn::Split": ["/", "x/y"]}]}`:               `"x"`,
		`{"Fn::Sub": "arn:${AWS::Partition}:${There.Arn}/${Text}/*"}`:    `"arn:aws:<There.Arn>/t/*"`,
		`{"Fn::Sub": "$Text ${!Text} {Text} ${There}"}`:                  `"$Text ${Text} {Text} <There>"`,
		`{"Fn::Sub": ["${Own}${Text}", {"Own": {"Ref": "Number"}}]}`:     `"10t"`,
		`{"Fn::Sub": ["${Text}", {"Text": "its own comes first"}]}`:      `"its own comes first"`,
		`{"Fn::Sub": "{\"Resource\":[\"${Text}\"]}"}`:                    `"{\"Resource\":[\"t\"]}"`,
		`{"Fn::If": ["Yes", {"Ref": "AWS::NoValue"}, {"Fn::Oops": []}]}`: `missing`, // the property itself
	} {
		got, err := Evaluate(fmt.Appendf(nil, base, property), here)
		if err != nil {
			t.Errorf("%s: %v", property, err)
			continue
		}
		p, there := got.Resources["R"].Properties["P"]
		if !there {
			p = json.RawMessage("missing")
		} else {
			p = jsonOf(t, p)
		}
		if g := string(p.(json.RawMessage)); g != compact(want) {
			t.Errorf("%s is %s, not %s", property, g, want)
		}
	}
}

func jsonOf(t *testing.T, v any) json.RawMessage {
	t.Helper()
	var out strings.Builder
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return json.RawMessage(strings.TrimSpace(out.String()))
}

// compact takes the spaces out that are there to be read.
func compact(text string) string {
	return strings.NewReplacer(`, "`, `,"`, `: `, `:`, `, `, `,`).Replace(text)
}

func TestWhatIsNotMadeIsNotThere(t *testing.T) {
	got, err := Evaluate(fmt.Appendf(nil, base, "1"), here)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"Resources":{"R":{"Type":"A::B::C","DependsOn":["There"],"DeletionPolicy":"Retain","Properties":{"P":1}},"There":{"Type":"A::B::C","Properties":{}}},"Outputs":{"Out":"<R.Arn>"}}`
	if g := string(jsonOf(t, got)); g != want {
		t.Errorf("left is\n%s, not\n%s", g, want)
	}
}

func TestWhatCloudFormationWouldNotTake(t *testing.T) {
	for property, says := range map[string]string{
		`{"Fn::Unknown": []}`:                               "not known here",
		`{"Fn::FindInMap": ["a", "b", "c"]}`:                "not known here",
		`{"Fn::Equals": ["a", "a"]}`:                        "not known here", // of conditions only
		`{"Ref": "Nothing"}`:                                `nothing is called "Nothing"`,
		`{"Ref": 1}`:                                        "nothing is called",
		`{"Ref": "AWS::AccountId"}`:                         "nothing is called", // no value was given
		`{"Ref": "Gone"}`:                                   "Gone is not made",
		`{"Ref": "Text", "More": 1}`:                        "stands beside",
		`{"Fn::GetAtt": ["Gone", "Arn"]}`:                   "Gone is not made",
		`{"Fn::GetAtt": ["There"]}`:                         "its attribute",
		`{"Fn::GetAtt": "There"}`:                           "its attribute",
		`{"Fn::If": ["Nobody", 1, 2]}`:                      `no condition is called "Nobody"`,
		`{"Fn::If": ["Yes", 1]}`:                            "two values",
		`{"Fn::Join": [",", "a"]}`:                          "is no list",
		`{"Fn::Join": [",", [["a"]]]}`:                      "is no text",
		`{"Fn::Join": [{"Ref": "Text"}, []]}`:               "no delimiter",
		`{"Fn::Join": ["", [{"Ref": "List"}]]}`:             "is no text",
		`{"Fn::Split": [",", {"Ref": "List"}]}`:             "known here",
		`{"Fn::Split": [",", {"Ref": "There"}]}`:            "known here",
		`{"Fn::Split": ["", "a"]}`:                          "a delimiter",
		`{"Fn::Select": [3, {"Ref": "List"}]}`:              "no element 3",
		`{"Fn::Select": [0, ["a", {"Ref": "Gone"}]]}`:       "Gone is not made",
		`{"Fn::Select": ["x", ["a"]]}`:                      "no element x",
		`{"Fn::Sub": "${Nothing}"}`:                         `${Nothing}: nothing is called`,
		`{"Fn::Sub": "${List}"}`:                            "is no text",
		`{"Fn::Sub": "${Gone.Arn}"}`:                        "Gone is not made",
		`{"Fn::Sub": "${AWS::NoValue}"}`:                    "is no text",
		`{"Fn::Sub": ["${A}"]}`:                             "its variables",
		`{"Fn::Sub": {"Ref": "Text"}}`:                      "is no text",
		`{"deep": [{"down": {"Fn::Sub": "${Nothing}"}}]}`:   "R: P: deep: [0]: down: Fn::Sub: ${Nothing}",
		`1}}, "S": {"Type": "A", "UpdatePolicy": {"a": {}}`: "UpdatePolicy",
		`1}}, "S": {"Type": "A", "DependsOn": {"Ref": "R"}, "Properties": {"b": 1`:        "DependsOn",
		`1}}, "S": {"Type": "A", "Condition": "Nobody", "Properties": {"b": 1`:            `S: no condition is called "Nobody"`,
		`1}}}, "Mappings": {"M": {}}, "Resources": {"T": {"Type":"A","Properties":{"a":1`: "Mappings",
	} {
		if _, err := Evaluate(fmt.Appendf(nil, base, property), here); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, not %q", property, err, says)
		}
	}
}

func TestConditionsThatCannotBeDecided(t *testing.T) {
	for expression, says := range map[string]string{
		`{"Condition": "C"}`: "depends on itself",
		`{"Fn::Not": [{"Fn::And": ["x", {"Condition": "C"}]}]}`:  "is no condition",
		`{"Fn::Equals": [{"Ref": "R"}, ""]}`:                     `nothing is called "R"`, // a resource
		`{"Fn::Equals": ["a"]}`:                                  "no condition that is known here",
		`{"Fn::Equals": [{"Ref": "L"}, ""]}`:                     "is no text",
		`{"Fn::And": [{"Fn::Equals": ["a", "a"]}]}`:              "no condition that is known here",
		`{"Fn::Or": [{"Fn::Equals": [1, 1]}, {"Fn::Nor": [1]}]}`: "no condition that is known here", // though the first holds
		`{"Fn::Contains": [["a"], "a"]}`:                         "no condition that is known here",
		`"C"`:                                                    "is no condition",
	} {
		template := `{"Parameters":{"L":{"Type":"CommaDelimitedList","Default":"a"}},"Conditions":{"C":` + expression + `},"Resources":{"R":{"Type":"A"}}}`
		if _, err := Evaluate([]byte(template), nil); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, not %q", expression, err, says)
		}
	}
}

func TestParameters(t *testing.T) {
	long := strings.Repeat("x", MaxValue)
	for name, c := range map[string]struct{ declared, value, says string }{
		"a text":                              {`{"Type":"String"}`, "x", ""},
		"an empty text":                       {`{"Type":"String"}`, "", ""},
		"as long as it may be":                {`{"Type":"String"}`, long, ""},
		"longer":                              {`{"Type":"String"}`, long + "x", "4097 bytes"},
		"a list that is longer":               {`{"Type":"CommaDelimitedList"}`, long + ",x", "4098 bytes"},
		"a text that must not be empty":       {`{"Type":"String","MinLength":1}`, "", "length"},
		"as short, and as long, as it may be": {`{"Type":"String","MinLength":2,"MaxLength":2}`, "ab", ""},
		"a number at both ends":               {`{"Type":"Number","MinValue":2,"MaxValue":2}`, "2", ""},
		"a text that is too long":             {`{"Type":"String","MaxLength":2}`, "abc", "length"},
		"a pattern":                           {`{"Type":"String","AllowedPattern":"a|b"}`, "b", ""},
		"a pattern is of the whole":           {`{"Type":"String","AllowedPattern":"a|b"}`, "ab", "does not match"},
		"a pattern is of each element":        {`{"Type":"CommaDelimitedList","AllowedPattern":"[ab]"}`, "a,c", `"c" does not match`},
		"one of the values":                   {`{"Type":"Number","AllowedValues":[1,5]}`, "5", ""},
		"none of the values":                  {`{"Type":"String","AllowedValues":["1","5"]}`, "2", "none of"},
		"the letters' size counts":            {`{"Type":"String","AllowedValues":["enforce"]}`, "Enforce", "none of"},
		"a number":                            {`{"Type":"Number","MinValue":1}`, "1", ""},
		"a number that is too small":          {`{"Type":"Number","MinValue":1}`, "0", "range"},
		"a number that is too large":          {`{"Type":"Number","MaxValue":1}`, "2", "range"},
		"no number":                           {`{"Type":"Number"}`, "ten", "no number"},
		"a type that only an account knows":   {`{"Type":"AWS::SSM::Parameter::Value<String>"}`, "/x", "not known here"},
		"a default is held to the rules too":  {`{"Type":"String","Default":"z","AllowedValues":["a"]}`, "none", `"z" is none of`},
		"no value and no default":             {`{"Type":"String"}`, "none", "give a value"},
	} {
		values := map[string]string{"P": c.value}
		if c.value == "none" {
			values = nil
		}
		_, err := Evaluate([]byte(`{"Parameters":{"P":`+c.declared+`},"Resources":{}}`), values)
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Evaluate([]byte(`{"Resources":{}}`), map[string]string{"Mode": "x"}); err == nil || !strings.Contains(err.Error(), "none of this name") {
		t.Errorf("a value that nobody asked for: %v", err)
	}
}
