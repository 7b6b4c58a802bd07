package rawjson_test

import (
	"errors"
	"strings"
	"testing"

	"byokwatch/core/rawjson"
	"byokwatch/core/strict"
)

func FuzzTakingApartLosesNothing(f *testing.F) {
	for _, s := range []string{`{}`, `[]`, `{"a" : [1 , {"b":null} ] , "c":"\u0061" }`, "[\n 1 ,\t2\n]", `{"":""}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if o, err := rawjson.ReadObject(text); err == nil {
			if !rawjson.Same(o.String(), text) {
				t.Fatalf("%q became %q", text, o.String())
			}
			again, err := rawjson.ReadObject(o.With("byokwatch", "1").String())
			if err != nil || again.Get("byokwatch") != "1" || !rawjson.Same(again.Without("byokwatch").String(), o.Without("byokwatch").String()) {
				t.Fatalf("%q with a member: %v", text, err)
			}
		}
		if l, err := rawjson.ReadList(text); err == nil {
			if !rawjson.Same(l.String(), text) {
				t.Fatalf("%q became %q", text, l.String())
			}
			if again, err := rawjson.ReadList(l.Add("1").String()); err != nil || len(again.Elements) != len(l.Elements)+1 {
				t.Fatalf("%q with a value: %v", text, err)
			}
		}
	})
}

// An edit looks as if the person who wrote the text had made it.
func TestEditsAreSpacedLikeTheText(t *testing.T) {
	object := func(text string) rawjson.Object {
		o, err := rawjson.ReadObject(text)
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	list := func(text string) rawjson.List {
		l, err := rawjson.ReadList(text)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	for got, want := range map[string]string{
		object("{}").With("a", "1").String():                                     `{"a": 1}`,
		object(`{"a":1}`).With("b", "2").String():                                `{"a":1, "b":2}`,
		object("{\n  \"a\" : 1\n}").With("b", "2").String():                      "{\n  \"a\" : 1,\n  \"b\" : 2\n}",
		object(`{"a": 1, "b": 2}`).With("a", "[3]").String():                     `{"a": [3], "b": 2}`,
		object(`{"\u0061": 1, "b": 2}`).Without("a").String():                    `{ "b": 2}`,
		object(`{"x": {"k" :  1}, "b": 2, "c": 3}`).Only("x", "c", "d").String(): `{"x": {"k" :  1}, "c": 3}`,
		list("[]").Add("1").String():                                             "[1]",
		list("[1]").Add("2").String():                                            "[1, 2]",
		list("[\n  1,\n  2\n]").Add("3").String():                                "[\n  1,\n  2,\n  3\n]",
		object(`{"a": {"b" : "c"}}`).Get("a"):                                    `{"b" : "c"}`,
		object(`{"a": 1}`).Get("A"):                                              "",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestSame(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{`{"a":1,"b":[2]}`, "{ \"b\" : [ 2 ],\n\"a\":1 }", true},
		{`"A"`, `"\u0041"`, true},
		{`[1,2]`, `[2,1]`, false},
		{`1`, `1.0`, false},
		{`9007199254740993`, `9007199254740992`, false},
		{`{"a":1}`, `{"A":1}`, false},
		{`{`, `{`, false},
	} {
		if got := rawjson.Same(c.a, c.b); got != c.want {
			t.Errorf("%s and %s: %v", c.a, c.b, got)
		}
	}
}

// thing is what the reader's tests read.
type thing struct {
	word  string
	words []string
	flag  bool
	count int64
	from  int
	to    int
}

func read(text string) (thing, error) {
	var out thing
	r, err := rawjson.NewReader(text)
	if err != nil {
		return out, err
	}
	out.from, out.to, err = r.Object("the thing", r.Word("word", &out.word), r.Words("words", &out.words), r.Flag("flag", &out.flag), r.OrNull(r.Number("count", &out.count)),
		rawjson.Field{Name: "inner", Read: func() error {
			out.from, out.to, err = r.Object("inner")
			return err
		}})
	return out, err
}

func TestReaderTakesWhatTheFieldsSay(t *testing.T) {
	const text = ` {"count": null, "unknown": {"word": 1}, "word": "w\u0041", "words": ["a", "b"], "flag": true}`
	got, err := read(text)
	if err != nil || got.word != "wA" || strings.Join(got.words, "") != "ab" || !got.flag || got.count != 0 || text[got.from:got.to] != strings.TrimSpace(text) {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := read(`{"count": 1790000000, "words": null}`); err != nil || got.count != 1790000000 || got.words != nil {
		t.Errorf("%+v, %v", got, err)
	}
	for text, want := range map[string]string{
		`[]`:                         "the thing is a list, not an object",
		`{"Word": "w"}`:              `the thing has a member "Word", which is not "word"`,
		`{"word": null}`:             "the thing: word is null, not a string",
		`{"word": {}}`:               "the thing: word is an object, not a string",
		`{"words": "w"}`:             "the thing: words is a string, not a list",
		`{"words": [1]}`:             "the thing: words: an element is a number, not a string",
		`{"flag": "true"}`:           "the thing: flag is a string, not a boolean",
		`{"count": "1"}`:             "the thing: count is a string, not a number",
		`{"count": 1.5}`:             "the thing: count is not a whole number",
		`{"inner": true}`:            "the thing: inner is a boolean, not an object",
		`{"word": "a", "word": "b"}`: "",
		`{"word": "a"} x`:            "",
	} {
		if _, err := read(text); err == nil || want != "" && err.Error() != want {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	if _, err := rawjson.ReadObject("[]"); err == nil || errors.Unwrap(err) != nil {
		t.Errorf("a list taken for an object: %v", err)
	}
}

// An object is read once, and refused for whatever the strict reader refuses.
func FuzzReaderIsAsStrictAsTheStrictReader(f *testing.F) {
	for _, text := range []string{
		`{}`, ` {"a": [1, {"b": null}]} `, `{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, `{"x":{"a":1,"a":2}}`, "{\"a\":\"\xff\"}", `{"a":"\ud800"}`, `{"a":1} {}`, `{"a":1,}`, `{/**/}`, `{"a":NaN}`, `{"a":01}`, `{"a":1`, `{"a"}`, `{1:2}`, `{"a":1}]`, "{\"a\":\"\t\"}",
		`{"a":` + strings.Repeat("[", 31) + strings.Repeat("]", 31) + `}`, `{"a":` + strings.Repeat("[", 32) + strings.Repeat("]", 32) + `}`, `{"a":` + strings.Repeat(`{"a":`, 31) + `"[[["` + strings.Repeat("}", 32),
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !strings.HasPrefix(strings.TrimLeft(text, " \t\r\n"), "{") {
			return
		}
		r, err := rawjson.NewReader(text)
		if err == nil {
			_, _, err = r.Object("it", rawjson.Field{Name: "known", Read: func() error { return r.List("known", func(int) error { return r.Skip() }) }})
		}
		if strict := strict.Check([]byte(text)); (strict == nil) != (err == nil) && !strings.Contains(strings.ToLower(text), "known") {
			t.Fatalf("%q: %v, by the strict reader %v", text, err, strict)
		}
	})
}
