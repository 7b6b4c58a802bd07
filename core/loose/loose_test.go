package loose

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
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

func TestListsOfTextsAndWhatIsThere(t *testing.T) {
	o, err := Read([]byte(`{"list":["a",1,null,{"b":1}],"text":"x","empty":"","nothing":null,"zero":0,"no":false}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := o.Texts("list"); !slices.Equal(got, []string{"a", "1", "", ""}) {
		t.Errorf("%q", got)
	}
	if got := o.Texts("text"); got != nil {
		t.Errorf("a text is the list %q", got)
	}
	for name, want := range map[string]bool{"list": true, "text": true, "empty": false, "nothing": false, "zero": true, "no": true, "absent": false} {
		if o.Has(name) != want {
			t.Errorf("has %s: %v", name, !want)
		}
	}
}

func TestTimesAreToldOrUnknown(t *testing.T) {
	for text, want := range map[string]string{
		"2026-08-01T12:00:00Z": "2026-08-01T12:00:00Z", "2026-08-01T14:00:00.5+02:00": "2026-08-01T12:00:00.5Z",
		"": "", "yesterday": "", "1790000000": "",
	} {
		got := Time(text)
		if want == "" && !got.IsZero() || want != "" && got.Format(time.RFC3339Nano) != want {
			t.Errorf("%q: %s", text, got)
		}
	}
}

func TestCutStopsBetweenCharacters(t *testing.T) {
	for _, n := range []int{0, MaxText / 2, MaxText/2 + 1, MaxText} {
		text := "x" + strings.Repeat("ä", n)
		got := Cut(text)
		if !utf8.ValidString(got) || len(got) > MaxText || !strings.HasPrefix(text, got) || len(text) <= MaxText && got != text {
			t.Errorf("%d: %d bytes", n, len(got))
		}
	}
}
