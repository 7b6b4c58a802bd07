package policytest

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"byokwatch/core"
)

// parseConfig reads the key and the question, one "word value" per line:
//
//	key ID · role ARN · principal ARN · organization ID|none ·
//	confluent-organization ID · group ADDRESS · vault ID · tenant ID · application ID · object-id ID ·
//	cluster dedicated|enterprise · mode observe|enforce · key-state alert|restore ·
//	network alert|restore · self ARN · at RFC 3339
//
// role and principal may stand several times; "no-roles" forgets those before.
func parseConfig(text string, cloud core.Cloud) (core.Question, error) {
	q := core.Question{Key: core.Key{Cloud: cloud, Mode: core.Enforce}}
	for line := range strings.Lines(text) {
		word, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch word {
		case "":
		case "key":
			q.Key.ID = value
		case "role":
			q.Key.Needs.Roles = append(q.Key.Needs.Roles, value)
		case "principal":
			q.Key.Needs.Principals = append(q.Key.Needs.Principals, value)
		case "no-roles":
			q.Key.Needs.Roles = nil
		case "organization":
			q.Key.Organization = value
		case "confluent-organization":
			q.Key.ConfluentOrganization = value
		case "group":
			q.Key.Needs.Group = value
		case "vault":
			q.Key.Vault = value
		case "tenant":
			q.Key.Needs.Tenant = value
		case "application":
			q.Key.Needs.Application = value
		case "object-id":
			q.Key.Needs.Principal = value
		case "cluster":
			q.Key.Needs.Cluster = value
		case "mode":
			q.Key.Mode = core.Mode(value)
		case "key-state":
			q.Key.KeyState = core.Care(value)
		case "network":
			q.Key.Network = core.Care(value)
		case "self":
			q.Self = value
		case "at":
			at, err := time.Parse(time.RFC3339, value)
			if err != nil {
				return q, fmt.Errorf("config: %w", err)
			}
			q.At = at
		default:
			return q, fmt.Errorf("config: unknown word %q", word)
		}
	}
	return q, nil
}

// expect compares a judgement with the lines of an expect section:
//
//	WHO PERMISSION RESULT [@2,5] [confluent-only] [~ text]
//
// is for findings. WHO is *, part of the principal, "key" for a property or
// "self" for a right of the watchdog; PERMISSION may hold *. The last line that
// fits a finding counts, and each finding needs one. @ lists the statements of
// the evidence, text is part of the reason or the remedy.
//
//	writable RESULT · revoked MARKER · disabled · deleting · expires TIME ·
//	ends TIME · unparsable · assumed TEXT
//
// are for the rest. Whatever of revoked, disabled, deleting, expires, ends and
// unparsable is not said must not be so.
func expect(text string, j core.Judgement) error {
	want := expectation{}
	for line := range strings.Lines(text) {
		if err := want.read(strings.TrimSpace(line)); err != nil {
			return err
		}
	}
	if len(want.lines) == 0 && len(j.Findings) > 0 {
		return errors.New("nothing is expected of the findings")
	}
	problems := want.whole(j)
	hit := make([]bool, len(want.lines))
	for _, f := range j.Findings {
		last := -1
		for i, l := range want.lines {
			if l.fits(f) {
				last, hit[i] = i, true
			}
		}
		if last < 0 {
			problems = append(problems, fmt.Errorf("nothing is expected of %s %s, which is %v", f.Principal, f.Permission, f.Result))
			continue
		}
		problems = append(problems, want.lines[last].compare(f))
	}
	for i, l := range want.lines {
		if !hit[i] {
			problems = append(problems, fmt.Errorf("no finding fits %q", l.text))
		}
	}
	return errors.Join(problems...)
}

type expectation struct {
	lines      []line
	writable   string
	revoked    string
	disabled   bool
	deleting   bool
	expires    time.Time
	ends       time.Time
	unparsable bool
	assumed    []string
}

func (e *expectation) read(text string) (err error) {
	word, rest, _ := strings.Cut(text, " ")
	switch word {
	case "":
	case "writable":
		e.writable = rest
	case "revoked":
		e.revoked = rest
	case "disabled":
		e.disabled = true
	case "deleting":
		e.deleting = true
	case "unparsable":
		e.unparsable = true
	case "expires":
		e.expires, err = time.Parse(time.RFC3339, rest)
	case "ends":
		e.ends, err = time.Parse(time.RFC3339, rest)
	case "assumed":
		e.assumed = append(e.assumed, rest)
	default:
		var l line
		l, err = readLine(text)
		e.lines = append(e.lines, l)
	}
	return err
}

// whole compares what is not about a single finding.
func (e *expectation) whole(j core.Judgement) []error {
	var out []error
	say := func(what string, got, want any) {
		if got != want {
			out = append(out, fmt.Errorf("%s is %v, want %v", what, got, want))
		}
	}
	if e.writable != "" {
		say("writable", j.Writable.String(), e.writable)
	}
	say("marker", j.Marker, e.revoked)
	say("revoked", j.Revoked, e.revoked != "")
	say("disabled", j.Disabled, e.disabled)
	say("deleting", j.Deleting, e.deleting)
	say("digest empty", j.Digest == "", e.unparsable)
	say("expires", j.Expires.UTC(), e.expires.UTC())
	say("ends", j.Ends.UTC(), e.ends.UTC())
	for _, want := range e.assumed {
		if !slices.ContainsFunc(j.Assumed, func(s string) bool { return strings.Contains(s, want) }) {
			out = append(out, fmt.Errorf("assumed %q lacks %q", j.Assumed, want))
		}
	}
	return out
}

// line is what is expected of the findings that it fits.
type line struct {
	text            string
	who, permission string
	result          string
	statements      []int
	checkStatements bool
	only            bool
	contains        string
}

func readLine(text string) (line, error) {
	l := line{text: text}
	head, contains, _ := strings.Cut(text, " ~ ")
	l.contains = contains
	words := strings.Fields(head)
	if len(words) < 3 {
		return l, fmt.Errorf("expect: %q is not WHO PERMISSION RESULT", text)
	}
	l.who, l.permission, l.result = words[0], words[1], words[2]
	if l.result != core.Met.String() && l.result != core.Missing.String() && l.result != core.Undetermined.String() {
		return l, fmt.Errorf("expect: unknown result %q", l.result)
	}
	for _, w := range words[3:] {
		switch {
		case w == "confluent-only":
			l.only = true
		case strings.HasPrefix(w, "@"):
			l.checkStatements = true
			for _, n := range strings.FieldsFunc(w[1:], func(c rune) bool { return c == ',' }) {
				i, err := strconv.Atoi(n)
				if err != nil {
					return l, fmt.Errorf("expect: %q: %w", text, err)
				}
				l.statements = append(l.statements, i)
			}
		default:
			return l, fmt.Errorf("expect: unknown word %q", w)
		}
	}
	return l, nil
}

func (l line) fits(f core.Finding) bool {
	switch l.who {
	case "key":
		if f.Aspect != core.Property {
			return false
		}
	case "self":
		if f.Aspect != core.Own {
			return false
		}
	default:
		if f.Aspect != core.Access || l.who != "*" && !strings.Contains(f.Principal, l.who) {
			return false
		}
	}
	flat := strings.NewReplacer("/", "|") // Azure's permissions have slashes, and * is to match them
	ok, err := path.Match(flat.Replace(l.permission), flat.Replace(f.Permission))
	return err == nil && ok
}

func (l line) compare(f core.Finding) error {
	var statements []int
	only := false
	for _, e := range f.Evidence {
		statements = append(statements, e.Statement)
		only = only || e.ConfluentOnly
	}
	problem := ""
	switch {
	case f.Result.String() != l.result:
		problem = "want " + l.result
	case l.checkStatements && !slices.Equal(statements, l.statements):
		problem = fmt.Sprintf("its evidence is %v, want %v", statements, l.statements)
	case l.result == core.Missing.String() && only != l.only:
		problem = fmt.Sprintf("confluent-only is %v, want %v", only, l.only)
	case !strings.Contains(f.Reason, l.contains) && !strings.Contains(f.Remedy, l.contains):
		problem = fmt.Sprintf("neither its reason nor its remedy %q says %q", f.Remedy, l.contains)
	default:
		return nil
	}
	return fmt.Errorf("%s %s is %v (%s): %s", f.Principal, f.Permission, f.Result, f.Reason, problem)
}
