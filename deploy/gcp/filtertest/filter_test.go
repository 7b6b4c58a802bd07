package filtertest

import (
	"encoding/json"
	"testing"
)

// The expectations are those of
// https://docs.cloud.google.com/logging/docs/view/logging-query-language
func TestMatches(t *testing.T) {
	const entry = `{"severity":"ERROR","logName":"projects/p/logs/x","resource":{"type":"t"},"protoPayload":{"status":{"code":7},"methodName":"a.b.SetIamPolicy"},"jsonPayload":{"unrestored":true,"age":10}}`
	for name, c := range map[string]struct {
		filter string
		want   bool
	}{
		"an equal text":                  {`logName="projects/p/logs/x"`, true},
		"another text":                   {`logName="projects/p/logs/y"`, false},
		"a text in another case":         {`logName="PROJECTS/p/logs/x"`, true},
		"one of several":                 {`resource.type=("s" OR "t")`, true},
		"none of several":                {`resource.type=("s" OR "u")`, false},
		"a part":                         {`protoPayload.methodName:"setiam"`, true},
		"an expression":                  {`protoPayload.methodName=~"(^|[.])SetIamPolicy$"`, true},
		"an expression regards the case": {`protoPayload.methodName=~"setIamPolicy"`, false},
		"an expression that is anchored elsewhere": {`protoPayload.methodName=~"^SetIamPolicy$"`, false},
		"more":                        {`protoPayload.status.code>0`, true},
		"not more":                    {`jsonPayload.age>10`, false},
		"at least":                    {`jsonPayload.age>=10`, true},
		"what is missing is not more": {`protoPayload.absent.code>0`, false},
		"nor equal":                   {`protoPayload.absent="x"`, false},
		"so NOT takes it":             {`NOT protoPayload.absent.code>0`, true},
		"NOT":                         {`NOT protoPayload.status.code>0`, false},
		"a boolean":                   {`jsonPayload.unrestored=true`, true},
		"a severity at least as high": {`severity>=WARNING`, true},
		"a severity that is lower":    {`severity>=CRITICAL`, false},
		"both":                        {`resource.type="t" AND severity>=ERROR`, true},
		"both, but one":               {`resource.type="t" AND severity>=ALERT`, false},
		"either":                      {`resource.type="s" OR severity>=ERROR`, true},
		"parentheses":                 {`(resource.type="s" OR resource.type="t") AND NOT (severity>=ALERT)`, true},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := Parse(c.filter)
			if err != nil {
				t.Fatal(err)
			}
			var e map[string]any
			if err := json.Unmarshal([]byte(entry), &e); err != nil {
				t.Fatal(err)
			}
			if got := f.Matches(e); got != c.want {
				t.Errorf("%s: %t", c.filter, got)
			}
		})
	}
}

func TestParseRefusesWhatItDoesNotKnow(t *testing.T) {
	for _, filter := range []string{
		"", `a=`, `a="x`, `a="x" AND`, `(a="x"`, `a="x")`, `a="x" b="y"`, `"a"="x"`, `-a="x"`,
		`a!="x"`, `a!~"x"`, `a<1`, `a>"1"`, `a>x`, `a=~"("`, `a=~"b\.c"`, `severity>=LOUD`,
		`a="x" AND b="y" OR c="z"`, `a=("x" AND "y")`, `log_id("x")`, `a=("x" OR)`,
	} {
		if f, err := Parse(filter); err == nil {
			t.Errorf("%s was taken for %+v", filter, f)
		}
	}
}
