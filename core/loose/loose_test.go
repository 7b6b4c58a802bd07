package loose

import (
	"encoding/json"
	"slices"
	"testing"
)

func TestWhatIsAnObject(t *testing.T) {
	for text, want := range map[string]bool{
		`{}`: true, ` {"a":1} `: true, `{"a":1,"a":2}`: true,
		``: false, `null`: false, `[]`: false, `"{}"`: false, `1`: false, `{`: false, `{} {}`: false, `{"a":}`: false,
	} {
		o, err := Read([]byte(text))
		if (err == nil) != want || (o != nil) != want {
			t.Errorf("%q: %v, %v", text, o, err)
		}
	}
}

func TestMembersAreReadAsTheyCome(t *testing.T) {
	o, err := Read([]byte(`{
		"text":"a\u00e9","number":7,"big":12345678901234567890,"yes":true,"nothing":null,"list":[1,{"a":"b"},null,{"a":"c"}],
		"object":{"inner":{"deep":"x"}},"snake_case":"s","both":"json","http://a/b":"url",
		"once":"{\"a\":\"b\"}","twice":"\"{\\\"a\\\":\\\"b\\\"}\"","not":"{a}","empty":""}`))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"text": "aé", "number": "7", "big": "12345678901234567890", "yes": "true", "nothing": "", "list": "", "object": "", "absent": "",
		"snakeCase": "s", "snake_case": "s", "both": "json", "http://a/b": "url", "empty": "",
	} {
		if got := o.Text(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if got := o.Object("object").Object("inner").Text("deep"); got != "x" {
		t.Errorf("deep is %q", got)
	}
	for _, name := range []string{"text", "list", "nothing", "absent", "once", "empty"} {
		if got := o.Object(name); len(got) != 0 {
			t.Errorf("%s is the object %v", name, got)
		}
	}
	for name, want := range map[string]string{"once": "b", "twice": "b", "object": "", "not": "", "text": "", "absent": "", "nothing": "", "empty": ""} {
		if got := o.Unwrapped(name).Text("a"); got != want {
			t.Errorf("%s unwrapped has %q, want %q", name, got, want)
		}
	}
	if len(o.Unwrapped("object")) != 1 {
		t.Error("an object needs no unwrapping")
	}
	if got := o.Objects("list"); len(got) != 2 || got[0].Text("a") != "b" || got[1].Text("a") != "c" {
		t.Errorf("list holds %v", got)
	}
	if got := o.Objects("object"); got != nil {
		t.Errorf("an object is the list %v", got)
	}
	var none Object
	if none.Text("a") != "" || none.Object("a") != nil || none.Objects("a") != nil || none.Mask("a") != nil || none.Unwrapped("a") != nil {
		t.Error("nothing holds something")
	}
}

func TestFieldMasks(t *testing.T) {
	for text, want := range map[string][]string{
		`"a,b c"`: {"a", "b", "c"}, `{"paths":["a","b"]}`: {"a", "b"}, `{}`: nil, `null`: nil, `[]`: nil, `{"paths":[1]}`: nil, `""`: nil,
	} {
		o := Object{"m": json.RawMessage(text)}
		if got := o.Mask("m"); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

func TestUnwrap(t *testing.T) {
	for text, want := range map[string]string{
		`{}`: `{}`, `"{}"`: `{}`, ` "\"{}\""`: `{}`, `"\"\\\"{}\\\"\""`: `{}`, `"`: `"`, `"a" x`: `"a" x`, ``: ``, `""`: ``, `7`: `7`,
	} {
		if got := string(Unwrap([]byte(text))); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
	deep := []byte(`{}`)
	for range maxWraps + 1 {
		var err error
		if deep, err = json.Marshal(string(deep)); err != nil {
			t.Fatal(err)
		}
	}
	if got := string(Unwrap(deep)); got != `"{}"` {
		t.Errorf("without end: %s", got)
	}
}
