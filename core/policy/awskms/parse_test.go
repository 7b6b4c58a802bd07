package awskms

import (
	"strings"
	"testing"
)

func TestAStatementKnowsWhereItStands(t *testing.T) {
	const text = "{ \"Statement\" : [\n\t {\"Effect\":\"Allow\",\"Principal\":\"*\"} ,\r\n  {\"Effect\" : \"Deny\", \"Principal\":{\"AWS\":[]}, \"Sid\":\"\u00e9{\\\"}\"}\n] }"
	p, err := parse(text)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{`{"Effect":"Allow","Principal":"*"}`, "{\"Effect\" : \"Deny\", \"Principal\":{\"AWS\":[]}, \"Sid\":\"\u00e9{\\\"}\"}"}
	if len(p.Statements) != len(want) {
		t.Fatalf("%d statements", len(p.Statements))
	}
	for i, s := range p.Statements {
		if s.index != i || text[s.start:s.end] != want[i] || string(s.raw) != want[i] {
			t.Errorf("statement %d is number %d at %q, raw %q", i, s.index, text[s.start:s.end], s.raw)
		}
	}
}

func TestASingleStatementKnowsWhereItStands(t *testing.T) {
	const text = `{"Statement":  {"Effect":"Allow","Principal":"*"}}`
	p, err := parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if s := p.Statements[0]; text[s.start:s.end] != `{"Effect":"Allow","Principal":"*"}` {
		t.Errorf("it stands at %q", text[s.start:s.end])
	}
}

func TestWhatIsAbsentIsNil(t *testing.T) {
	p, err := parse(`{"Statement":{"Effect":"Allow","Principal":{"AWS":[]},"Action":[]}}`)
	if err != nil {
		t.Fatal(err)
	}
	s := p.Statements[0]
	if s.Action == nil || len(s.Action) != 0 || s.NotAction != nil || s.Resource != nil || s.NotResource != nil || s.NotPrincipal != nil || s.Conditions != nil {
		t.Errorf("%+v", s)
	}
}

func TestConditionValuesBecomeText(t *testing.T) {
	p, err := parse(`{"Statement":{"Effect":"Deny","Principal":"*","Condition":{"Bool":{"a:b":[true,"x",false]},"NumericLessThan":{"a:c":3600,"a:d":1.50}}}}`)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range p.Statements[0].Conditions {
		got = append(got, c.Operator+" "+c.Key+" "+strings.Join(c.Values, "|"))
	}
	if s := strings.Join(got, "; "); s != "Bool a:b true|x|false; NumericLessThan a:c 3600; NumericLessThan a:d 1.50" {
		t.Errorf("conditions are %q", s)
	}
}

func TestAPolicyAboveTheSizeOfKMSParses(t *testing.T) {
	statement := `{"Effect":"Allow","Principal":"*","Action":"kms:Encrypt","Resource":"*"}`
	text := `{"Statement":[` + strings.Repeat(statement+",", 4000) + statement + `]}`
	p, err := parse(text)
	if err != nil || len(p.Statements) != 4001 {
		t.Errorf("%d statements, %v", len(p.Statements), err)
	}
}

func TestAnErrorSaysWhere(t *testing.T) {
	ok := `{"Effect":"Allow","Principal":"*"}`
	for text, want := range map[string]string{
		`{"Statement":[` + ok + `,{"Effect":"Allow","Principal":{"AWS":1}}]}`:                                         "key policy: statement 1: Principal AWS is a number; put it in quotes",
		`{"Statement":[` + ok + `,7]}`:                                                                                "key policy: statement 1 is a number, not an object",
		`{"Statement":[` + ok + `,{"Effect":"Allow","Principal":"*","Condition":{"Bool":["x"]}}]}`:                    "key policy: statement 1: Condition Bool is a list, not an object",
		`{"Statement":{"Effect":"Allow","Principal":"*","Condition":{"StringLike":{"aws:PrincipalArn":[null,"x"]}}}}`: "key policy: statement 0: Condition StringLike aws:PrincipalArn is null, not a string",
	} {
		if _, err := parse(text); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}
