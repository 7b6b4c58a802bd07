package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"byokwatch/core"
)

// outcome is what a run of the program left behind.
type outcome struct {
	code           int
	stdout, stderr string
}

func runArgs(stdin string, args ...string) outcome {
	var out, err bytes.Buffer
	code := run(args, strings.NewReader(stdin), &out, &err, func(string) string { return "" })
	return outcome{code, out.String(), err.String()}
}

func check(t *testing.T, policy []byte) outcome {
	t.Helper()
	name := filepath.Join(t.TempDir(), "policy.json")
	if err := os.WriteFile(name, policy, 0o600); err != nil {
		t.Fatal(err)
	}
	return runArgs("", "check", "--cloud", "aws", "--policy", name, "--role", kafka)
}

func TestFilesAsTheyComeFromOtherMachines(t *testing.T) {
	padded := strings.Replace(goodPolicy, `"Statement":[`, `"Statement":[`+strings.Repeat(`{"Sid":"padding","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"kms:ListAliases","Resource":"*"},`, 400), 1)
	wide := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(goodPolicy)) {
		wide = append(wide, byte(u), byte(u>>8))
	}
	deep := []byte(strings.Repeat("[", 100_000))
	for name, c := range map[string]struct {
		policy []byte
		code   int
		says   string
	}{
		"as AWS prints it":              {[]byte(goodPolicy), exitIntact, "INTACT"},
		"with the line ends of Windows": {[]byte(strings.ReplaceAll(goodPolicy, "\n", "\r\n")), exitIntact, "INTACT"},
		"with a byte order mark":        {[]byte("\xef\xbb\xbf" + goodPolicy), exitIntact, "INTACT"},
		"in UTF-16, by PowerShell":      {wide, exitUnknown, "is UTF-16"},
		"in Latin-1":                    {[]byte(strings.Replace(goodPolicy, "Enable", "\xc9nable", 1)), exitUnknown, "not UTF-8"},
		"larger than KMS takes":         {[]byte(padded), exitIntact, "KMS takes at most 32768"},
		"one value after another":       {[]byte(goodPolicy + goodPolicy), exitUnknown, "not one well-formed JSON value"},
		"nested without end":            {deep, exitUnknown, "not one well-formed JSON value"},
		"only space":                    {[]byte(" \r\n\t"), exitUnknown, "is empty"},
		"not JSON at all":               {[]byte("An error occurred (AccessDeniedException)"), exitUnknown, "not one well-formed JSON value"},
		"a string":                      {[]byte(`"kms"`), exitUnknown, "neither a key policy"},
		"null":                          {[]byte(`null`), exitUnknown, "neither a key policy"},
	} {
		t.Run(name, func(t *testing.T) {
			got := check(t, c.policy)
			if got.code != c.code || !strings.Contains(got.stdout+got.stderr, c.says) {
				t.Errorf("exit %d, want %d with %q:\n%.400s%.400s", got.code, c.code, c.says, got.stdout, got.stderr)
			}
		})
	}
}

// The JSON of check is a contract: these members and no others.
func TestCheckJSON(t *testing.T) {
	name := filepath.Join(t.TempDir(), "policy.json")
	if err := os.WriteFile(name, []byte(goodPolicy), 0o600); err != nil {
		t.Fatal(err)
	}
	got := runArgs("", "check", "--cloud", "aws", "--policy", name, "--role", kafka, "--output", "json")
	if got.code != exitIntact || got.stderr != "" {
		t.Fatalf("exit %d: %s", got.code, got.stderr)
	}
	var out struct {
		Verdict  string `json:"verdict"`
		Findings []struct {
			Principal  string `json:"principal"`
			Permission string `json:"permission"`
			Result     string `json:"result"`
			Severity   string `json:"severity"`
			Reason     string `json:"reason"`
			Evidence   []struct {
				Document  string `json:"document"`
				Statement *int   `json:"statement"`
				Sid       string `json:"sid"`
				Line      int    `json:"line"`
				Text      string `json:"text"`
			} `json:"evidence"`
		} `json:"findings"`
		Assumed []string `json:"assumed"`
	}
	d := json.NewDecoder(strings.NewReader(got.stdout))
	d.DisallowUnknownFields()
	if err := d.Decode(&out); err != nil {
		t.Fatal(err)
	}
	if out.Verdict != "intact" || len(out.Findings) != 12 || len(out.Assumed) == 0 {
		t.Fatalf("verdict %s, %d findings, %d assumed", out.Verdict, len(out.Findings), len(out.Assumed))
	}
	lines := strings.Split(goodPolicy, "\n")
	for _, f := range out.Findings {
		if f.Principal != kafka || f.Result != "met" || f.Reason == "" || len(f.Evidence) != 1 {
			t.Errorf("finding %+v", f)
			continue
		}
		e := f.Evidence[0]
		if e.Document != name || e.Statement == nil || e.Line < 1 || !strings.HasPrefix(strings.TrimSpace(lines[e.Line-1]), e.Text[:20]) {
			t.Errorf("%s: evidence %+v does not stand in line %d of the file", f.Permission, e, e.Line)
		}
	}
}

func TestLinesOfAPolicyWithinAnAnswer(t *testing.T) {
	text := "{\n\"Version\": \"2012-10-17\",\n\"Statement\": [\n{}]}"
	for name, c := range map[string]struct {
		file string
		want int
	}{
		"a policy":                         {text, 4},
		"a policy after a mark and a line": {"\xef\xbb\xbf\n" + text, 5},
		"a policy as a JSON string":        {fmt.Sprintf("{\n\"PolicyName\": \"default\",\n\"Policy\": %q}", text), 4},
	} {
		d := core.Document{Kind: core.KeyPolicy, Text: text}
		got := locate([]file{{name: "f", data: []byte(c.file), docs: []core.Document{d}}}, d, core.Evidence{Start: strings.Index(text, "{}")})
		if got.line != c.want || got.document != "f" {
			t.Errorf("%s: %+v, want line %d", name, got, c.want)
		}
	}
}

func TestTextOfOthersIsShownAsItIs(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                        "plain",
		"café at http://x":             "café at http://x",
		"\x1b[2J":                      `\u{001B}[2J`,
		"a\nb\tc":                      `a\u{000A}b\u{0009}c`,
		"\u202eevil":                   `\u{202E}evil`,
		"zero\u200bwidth":              `zero\u{200B}width`,
		"\xff\xfe":                     `\x{FF}\x{FE}`,
		"\u009b31m":                    `\u{009B}31m`,
		"a literal \ufffd":             "a literal \ufffd",
		strings.Repeat("x", 2*maxLine): strings.Repeat("x", maxLine+1) + "…",
	} {
		if got := line(in); got != want {
			t.Errorf("line(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestASCIIKeepsTheValue(t *testing.T) {
	in := map[string]string{"é": "\u202e\u0085\x7f 🔴 \U0001F600 \x1b"}
	data, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	data = ascii(data)
	for i, c := range data {
		if c < 0x20 || c > 0x7e {
			t.Fatalf("byte %d is %#x in %q", i, c, data)
		}
	}
	var out map[string]string
	if err := json.Unmarshal(data, &out); err != nil || out["é"] != in["é"] {
		t.Errorf("reads back as %q, %v", out, err)
	}
}

func TestTheWorstCodeOfSeveralKeys(t *testing.T) {
	for _, c := range []struct {
		codes []int
		want  int
	}{
		{nil, 0}, {[]int{0, 0}, 0}, {[]int{0, 2}, 2}, {[]int{2, 3, 0}, 3}, {[]int{3, 2, 1, 0}, 1},
	} {
		if got := worst(c.codes); got != c.want {
			t.Errorf("worst(%v) = %d, want %d", c.codes, got, c.want)
		}
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestAVerdictThatNobodyCouldReadIsNone(t *testing.T) {
	var stderr bytes.Buffer
	code := run([]string{"check", "--cloud", "aws", "--policy", "-", "--role", kafka}, strings.NewReader(goodPolicy), full{}, &stderr, func(string) string { return "" })
	if code != exitUnknown || !strings.Contains(stderr.String(), "no space left") {
		t.Errorf("exit %d: %s", code, stderr.String())
	}
}

func TestWhoAnEventNames(t *testing.T) {
	for want, who := range map[string]core.Actor{
		"somebody unknown":                 {},
		"gh-run-8812 as role/terraform-ci": {Name: "gh-run-8812", ID: "arn:aws:iam::111122223333:role/terraform-ci"},
		"user/jane":                        {Name: "jane", ID: "arn:aws:iam::111122223333:user/jane"},
		"root":                             {ID: "arn:aws:iam::111122223333:root"},
		"cloudformation.amazonaws.com":     {Via: "cloudformation.amazonaws.com"},
	} {
		if got := actor(who); got != want {
			t.Errorf("actor(%+v) = %q, want %q", who, got, want)
		}
	}
}

// Each command and each flag is in the manual.
func TestTheManualIsComplete(t *testing.T) {
	data, err := os.ReadFile("../../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	manual := string(data)
	a := &app{stdout: &output{}}
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		if !strings.Contains(manual, cmd.CommandPath()) {
			t.Errorf("docs/cli.md does not mention %s", cmd.CommandPath())
		}
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if !strings.Contains(manual, "--"+f.Name) {
				t.Errorf("docs/cli.md does not mention --%s of %s", f.Name, cmd.CommandPath())
			}
		})
		for _, c := range cmd.Commands() {
			walk(c)
		}
	}
	walk(a.root())
}
