package gcpkms

import (
	"strings"
	"testing"

	"byokwatch/core"
	"byokwatch/core/rawjson"
)

func TestAPolicyIsEditedInItsOwnWords(t *testing.T) {
	a := addition{role: payRole}
	for name, x := range map[string]struct{ was, is string }{
		"a policy without bindings":    {`{"etag":"a"}`, `{"etag":"a", "bindings":[{"members": ["group:G@x.y"], "role": "R"}], "version":3}`},
		"bindings that are null":       {`{"bindings":null,"etag":"a"}`, `{"bindings":[{"members": ["group:G@x.y"], "role": "R"}],"etag":"a","version":3}`},
		"an empty list":                {`{ "bindings" : [ ] , "etag" : "a" , "version" : 0 }`, `{ "bindings" : [{"members": ["group:G@x.y"], "role": "R"} ], "etag" : "a", "version" : 3 }`},
		"a binding of somebody else":   {`{"bindings":[{"role":"S","members":["user:a@b.c"]}],"etag":"a","version":1}`, `{"bindings":[{"role":"S","members":["user:a@b.c"]}, {"members":["group:G@x.y"], "role":"R"}],"etag":"a","version":3}`},
		"a binding of the same role":   {`{"bindings":[{"role":"R","members":["user:a@b.c"]}],"etag":"a"}`, `{"bindings":[{"role":"R","members":["user:a@b.c", "group:G@x.y"]}],"etag":"a","version":3}`},
		"a binding without members":    {`{"bindings":[{"role":"R"}],"etag":"a"}`, `{"bindings":[{"role":"R", "members":["group:G@x.y"]}],"etag":"a","version":3}`},
		"lines":                        {"{\n  \"bindings\": [\n    {\n      \"members\": [\n        \"user:a@b.c\"\n      ],\n      \"role\": \"S\"\n    }\n  ],\n  \"etag\": \"a\"\n}", "{\n  \"bindings\": [\n    {\n      \"members\": [\n        \"user:a@b.c\"\n      ],\n      \"role\": \"S\"\n    },\n    {\n      \"members\": [\n        \"group:G@x.y\"\n      ],\n      \"role\": \"R\"\n    }\n  ],\n  \"etag\": \"a\",\n  \"version\": 3\n}"},
		"escapes and numbers":          {`{"bindings":[{"role":"S","members":["user:\u0061@b.c"],"n":1.00e2}],"etag":"\u0061"}`, `{"bindings":[{"role":"S","members":["user:\u0061@b.c"],"n":1.00e2}, {"members":["group:G@x.y"], "role":"R"}],"etag":"\u0061","version":3}`},
		"the same role, conditioned":   {`{"bindings":[{"role":"R","members":["user:a@b.c"],"condition":{"expression":"true"}}],"etag":"a"}`, `{"bindings":[{"role":"R","members":["user:a@b.c"],"condition":{"expression":"true"}}, {"members":["group:G@x.y"], "role":"R"}],"etag":"a","version":3}`},
		"the dead group in its place":  {`{"bindings":[{"role":"R","members":["deleted:group:g@X.y?uid=1","user:a@b.c"]}],"etag":"a"}`, `{"bindings":[{"role":"R","members":["group:G@x.y","user:a@b.c"]}],"etag":"a","version":3}`},
		"the dead group twice":         {`{"bindings":[{"role":"R","members":["deleted:group:g@x.y?uid=1","deleted:group:g@x.y?uid=2"]}],"etag":"a"}`, `{"bindings":[{"role":"R","members":["group:G@x.y"]}],"etag":"a","version":3}`},
		"the dead group by itself":     {`{"bindings":[{"role":"S","members":["deleted:group:g@x.y?uid=1"]},{"role":"T","members":["user:a@b.c"]}],"etag":"a"}`, `{"bindings":[{"role":"T","members":["user:a@b.c"]}, {"members":["group:G@x.y"], "role":"R"}],"etag":"a","version":3}`},
		"somebody else's dead members": {`{"bindings":[{"role":"S","members":["deleted:group:h@x.y?uid=1","deleted:user:g@x.y?uid=1","deleted:group:g@x.y"]}],"etag":"a"}`, `{"bindings":[{"role":"S","members":["deleted:group:h@x.y?uid=1","deleted:user:g@x.y?uid=1","deleted:group:g@x.y"]}, {"members":["group:G@x.y"], "role":"R"}],"etag":"a","version":3}`},
		"the group in another case":    {`{"bindings":[{"role":"R","members":["group:g@x.y"]}],"etag":"a","version":3}`, `{"bindings":[{"role":"R","members":["group:g@x.y"]}],"etag":"a","version":3}`},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := readSheet(strings.ReplaceAll(x.was, `"R"`, rawjson.Quote(payRole)))
			if err != nil {
				t.Fatal(err)
			}
			got, err := s.given([]addition{a}, "G@x.y")
			if err != nil {
				t.Fatal(err)
			}
			if want := strings.ReplaceAll(x.is, `"R"`, rawjson.Quote(payRole)); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestAPolicyThatIsNeverWritten(t *testing.T) {
	for name, text := range map[string]string{
		"without an etag":                    `{"bindings":[]}`,
		"with an empty etag":                 `{"bindings":[],"etag":""}`,
		"read in an old form":                `{"bindings":[{"role":"roles/viewer_withcond_2f1a","members":["user:a@b.c"]}],"etag":"a"}`,
		"with bindings that are no list":     `{"bindings":{},"etag":"a"}`,
		"with a binding that is no object":   `{"bindings":["x"],"etag":"a"}`,
		"with a binding without a role":      `{"bindings":[{"members":["user:a@b.c"]}],"etag":"a"}`,
		"with a member that is no text":      `{"bindings":[{"role":"r","members":[1]}],"etag":"a"}`,
		"with members that are no list":      `{"bindings":[{"role":"r","members":"user:a@b.c"}],"etag":"a"}`,
		"with a condition that is no object": `{"bindings":[{"role":"r","members":["user:a@b.c"],"condition":"true"}],"etag":"a"}`,
		"with a member twice":                `{"etag":"a","etag":"b"}`,
		"with something behind it":           `{"etag":"a"} {}`,
		"that is a list":                     `[]`,
		"that is empty":                      ``,
	} {
		t.Run(name, func(t *testing.T) {
			s, err := readSheet(text)
			if err == nil {
				text, err = s.given([]addition{{role: payRole}}, payGroup)
			}
			if err == nil {
				t.Errorf("wrote %s", text)
			}
		})
	}
}

func TestMembersThatMayBeTheGroup(t *testing.T) {
	for member, want := range map[string][2]bool{
		"group:" + payGroup:                     {true, false},
		"group:CCK-12345@Confluent.IO":          {true, false},
		"group:cc\u212a-12345@confluent.io":     {false, false}, // the Kelvin sign folds to k beyond ASCII
		"Group:" + payGroup:                     {false, false},
		"user:" + payGroup:                      {false, false},
		payDead:                                 {false, true},
		"deleted:group:" + payGroup:             {false, false},
		"deleted:group:" + payGroup + "?uid=":   {false, false},
		"deleted:group:" + payGroup + "?uid=1x": {false, false},
		"deleted:group:x" + payGroup + "?uid=1": {false, false},
		"deleted:user:" + payGroup + "?uid=1":   {false, false},
	} {
		if got := [2]bool{isGroup(member, payGroup), isDeadGroup(member, payGroup)}; got != want {
			t.Errorf("%s: alive, dead = %v, want %v", member, got, want)
		}
	}
}

func TestOnlyProperNamesEnterACommand(t *testing.T) {
	for _, key := range []string{"", "payments", payKey + "/cryptoKeyVersions/1", payKey + " ", payKey + "\n", strings.Replace(payKey, "acme", "ac;me", 1), strings.Replace(payKey, "kafka", "$(id)", 1), strings.Replace(payKey, "payments", "pay'ments", 1), strings.Replace(payKey, "us-west1", "--x", 1)} {
		if s, err := policyStep(key, "{}"); err == nil {
			t.Errorf("%q: %s", key, s.Command)
		}
		if lines := Unlock(nil, core.Question{Key: core.Key{ID: key}}, nil); lines != nil {
			t.Errorf("%q: %q", key, lines)
		}
	}
	for _, number := range []string{"", "0", "-1", "1 2", "1;id", "x"} {
		if s, err := versionStep(payKey, number); err == nil {
			t.Errorf("%q: %s", number, s.Command)
		}
	}
}
