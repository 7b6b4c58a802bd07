package main

import (
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"
)

func topicSource(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("testdata/topic.ts")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// plainJSON is JSON without order and layout.
func plainJSON(t *testing.T, v any) any {
	t.Helper()
	data, ok := v.([]byte)
	if !ok {
		var err error
		if data, err = json.Marshal(v); err != nil {
			t.Fatal(err)
		}
	}
	var out any
	if err := json.Unmarshal(data, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestASourceIsReadToTheSchemaThatItCameFrom(t *testing.T) {
	s, err := parseSource(topicSource(t))
	if err != nil {
		t.Fatal(err)
	}
	if s.typeName != "x_topic" || s.version != "1.2.3" || s.kind != "Resource" {
		t.Errorf("it is %s %s of %s", s.kind, s.typeName, s.version)
	}
	got, err := s.top()
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("testdata/topic.json")
	if err != nil {
		t.Fatal(err)
	}
	if g, w := plainJSON(t, got), plainJSON(t, want); !reflect.DeepEqual(g, w) {
		text, _ := json.MarshalIndent(g, "", "  ")
		t.Errorf("read as\n%s", text)
	}
}

// TestWhatIsNotUnderstoodIsSaid changes the source so that a part of it would be
// passed over, or taken for something else.
func TestWhatIsNotUnderstoodIsSaid(t *testing.T) {
	for name, c := range map[string]struct{ old, new, want string }{
		"an argument in a new shape":           {"      isBlock: false,\n      type: \"set\"", "      type: \"set\"", "TopicPolicy: it has 1 properties, of which 0 are read"},
		"a type that is not known":             {`storageClassType: "numberListList"`, `storageClassType: "dateList"`, "TopicRule.days: unknown type list of date"},
		"a way of nesting that is not known":   {"type: \"list\",\n        storageClassType: \"TopicPolicyList\"", "type: \"tree\",\n        storageClassType: \"TopicPolicyList\"", `TopicConfig.policy: a block in a "tree"`},
		"a computed value that is not known":   {"this.getStringAttribute('url')", "this.getDateAttribute('url')", "TopicEndpoint.url: unknown getter getDateAttribute"},
		"a computed value without a type":      {"this.getStringAttribute('url')", "this._url", "TopicEndpoint.url: nothing tells its type"},
		"an argument that is passed over":      {"// region_ids - computed: true, optional: false", "// region_ids - computed: false, optional: true", "TopicPolicy.region_ids: an argument that the interface has not"},
		"two that do not agree":                {"readonly days:", "readonly days?:", "TopicRule.days: the interface and the class do not agree"},
		"no version":                           {"providerVersion: '1.2.3'", "", "no class of a resource"},
		"no resource":                          {"extends cdktf.TerraformResource", "extends Something", "no class of a resource"},
		"a resource that says nothing of HCL":  {"synthesizeHclAttributes()", "synthesize()", "Topic has no synthesizeHclAttributes"},
		"a class of values that is not known":  {"new cdktf.StringMap(", "new cdktf.DateMap(", "unknown class DateMap"},
		"an argument without its own property": {"topic#size Topic#size", "topic#width Topic#width", "TopicConfig: the argument size is no property of it"},
	} {
		text := topicSource(t)
		changed := strings.Replace(text, c.old, c.new, 1)
		if changed == text {
			t.Fatalf("%s: the source has no %q", name, c.old)
		}
		s, err := parseSource(changed)
		if err == nil {
			_, err = s.top()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v instead of an error that says %q", name, err, c.want)
		}
	}
}

func TestTheSourceIsInTheSourceMap(t *testing.T) {
	for js, want := range map[string]string{
		javaScript(t, topicSource(t)):                            "",
		"class Topic {}":                                         "no source map",
		"//# sourceMappingURL=data:application/json;base64,A":    "illegal base64",
		"//# sourceMappingURL=data:application/json;base64,e30=": "holds 0 sources instead of one",
	} {
		s, err := decodeSource([]byte(js))
		if want == "" && (err != nil || s.typeName != "x_topic") || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%.60s: %v, %v", js, s, err)
		}
	}
}
