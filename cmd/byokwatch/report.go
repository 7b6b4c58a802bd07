package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"byokwatch/core"
)

// report is one judgement for people and programs. Its JSON is a contract.
type report struct {
	Verdict  core.State `json:"verdict"`
	Findings []result   `json:"findings"`
	Assumed  []string   `json:"assumed"`

	about  about
	judged []core.Finding // beside Findings, in their order
}

// about is what the text says beyond the JSON.
type about struct {
	subject string // "with new-policy.json", "payments (aws …)"
	marker  string // of a revocation
	expires time.Time
	since   string // what it is compared with, empty for nothing
	lost    int    // permissions that the snapshot gave
	add     string // the policy text that would give what no statement gives
	list    string // where in a policy it goes
	plan    []string
}

// result is one finding in JSON.
type result struct {
	Principal  string     `json:"principal"`
	Permission string     `json:"permission"`
	Result     string     `json:"result"`
	Severity   string     `json:"severity"`
	Reason     string     `json:"reason"`
	Evidence   []evidence `json:"evidence"`
}

// evidence is a deciding clause in JSON. Statement counts from 0, as
// .Statement[3] does; Line counts from 1.
type evidence struct {
	Document  string `json:"document"`
	Statement int    `json:"statement"`
	Sid       string `json:"sid"`
	Line      int    `json:"line"`
	Text      string `json:"text"`
}

// results turns findings into what JSON shows. files may be empty: evidence is
// then named by the document's own ID.
func results(findings []core.Finding, files []file, p core.Policy) []result {
	out := []result{}
	for _, f := range findings {
		r := result{
			Principal: f.Principal, Permission: f.Permission, Result: f.Result.String(),
			Severity: string(f.Severity), Reason: f.Reason, Evidence: []evidence{},
		}
		for _, e := range f.Evidence {
			d := deciding(p, e)
			at := locate(files, d, e)
			r.Evidence = append(r.Evidence, evidence{
				Document: at.document, Statement: e.Statement, Sid: e.Sid, Line: at.line, Text: span(d.Text, e.Start, e.End),
			})
		}
		out = append(out, r)
	}
	return out
}

// deciding is the document that evidence points into. Where several have one
// ID, as files of gcloud have none, their texts are at different offsets.
func deciding(p core.Policy, e core.Evidence) core.Document {
	kind := cmp.Or(e.Kind, core.KeyPolicy)
	var first *core.Document
	for i, d := range p {
		if d.Kind != kind || d.ID != e.Document {
			continue
		}
		if lead := len(d.Text) - len(strings.TrimLeft(d.Text, " ")); first == nil || lead <= e.Start {
			first = &p[i]
		}
	}
	if first == nil {
		return core.Document{ID: e.Document}
	}
	return *first
}

func span(text string, start, end int) string {
	if start < 0 || end > len(text) || start > end {
		return ""
	}
	return text[start:end]
}

// row is what several findings have in common.
type row struct {
	mark        string
	principal   string
	permissions []string
	reason      string
	remedy      string // of the first permission
	others      bool   // the others have one like it
	places      []string
}

// text prints a report the way a tired reader needs it: the verdict, then what
// is wrong, then what to do; what is right only as a number.
func (a *app) text(r report, all bool) {
	everyone, met, total := r.tally()
	a.printf("%s\n", r.headline(met, total))
	for _, row := range r.rows(all) {
		a.row(row, everyone, total/max(1, len(everyone)))
	}
	if met > 0 && !all {
		a.printf("  met       %d of %d permissions (--all lists them)\n", met, total)
	}
	for _, line := range r.about.plan {
		a.printf("  %s\n", line)
	}
	if r.about.add != "" {
		a.printf("  add       to %s:\n%s\n", r.about.list, indent(r.about.add))
	}
	if !r.about.expires.IsZero() {
		a.printf("  expires   a permission that is met now ends at %s\n", r.about.expires.UTC().Format("2006-01-02 15:04 UTC"))
	}
	if len(r.Assumed) > 0 {
		a.printf("Assumed, not checked: %s.\n", strings.Join(r.Assumed, "; "))
	}
}

// tally counts Confluent's critical permissions.
func (r report) tally() (principals []string, met, total int) {
	for _, f := range r.judged {
		if f.Aspect != core.Access {
			continue
		}
		if !slices.Contains(principals, f.Principal) {
			principals = append(principals, f.Principal)
		}
		if f.Severity == core.Critical {
			total++
			if f.Result == core.Met {
				met++
			}
		}
	}
	return principals, met, total
}

// indent puts a policy text under its heading.
func indent(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for i := range lines {
		lines[i] = "            " + line(lines[i])
	}
	return strings.Join(lines, "\n")
}

// ungiven is the policy text that would give the critical permissions that no
// statement is even about. What a statement denies or narrows needs that
// statement mended, and adding another would not help.
func ungiven(q core.Question, findings []core.Finding) string {
	var missing []core.Requirement
	for _, f := range findings {
		if f.Aspect == core.Access && f.Severity == core.Critical && f.Result == core.Missing && len(f.Evidence) == 0 {
			missing = append(missing, f.Requirement)
		}
	}
	return mustPlatform(q.Key.Cloud).rules.Fragment(q, missing)
}

func (r report) headline(met, total int) string {
	missing, open, property, doubt := 0, 0, "", ""
	for _, f := range r.judged {
		switch {
		case f.Result == core.Undetermined && f.Severity == core.Critical && f.Aspect == core.Access:
			open++
		case f.Result == core.Undetermined && f.Severity == core.Critical && f.Aspect == core.Property:
			doubt = f.Reason
		case f.Result != core.Missing || f.Severity != core.Critical:
		case f.Aspect == core.Access:
			missing++
		case f.Aspect == core.Property:
			property = f.Reason
		}
	}
	what := ""
	switch {
	case missing > 0:
		verb := "lacks"
		if r.about.lost > 0 {
			verb = "lost"
		}
		what = fmt.Sprintf("Confluent %s %d of %s on this key", verb, missing, count(total, "permission"))
		if never := missing - r.about.lost; r.about.lost > 0 && never > 0 {
			what += fmt.Sprintf(" (%d of them it never had)", never)
		}
		if open > 0 {
			what += fmt.Sprintf(", and %d can't be decided", open)
		}
		if property != "" {
			what += ", and " + line(property)
		}
	case property != "":
		what = "Confluent can't use this key: " + line(property)
	case r.Verdict == core.Unclear && open == 0 && doubt != "":
		what = "it can't be decided whether Confluent can use this key: " + line(doubt)
	case r.Verdict == core.Unclear:
		what = fmt.Sprintf("it can't be decided whether Confluent has %d of %s on this key", open, count(total, "permission"))
	default:
		what = fmt.Sprintf("Confluent has all %s on this key", count(total, "permission"))
		if met < total {
			what = fmt.Sprintf("Confluent has %d of %s; what can't be decided was so in the snapshot", met, count(total, "permission"))
		}
	}
	if r.about.marker != "" {
		what += fmt.Sprintf("; its owner revoked the access (%q)", line(r.about.marker))
	}
	return fmt.Sprintf("%s: %s %s%s.", strings.ToUpper(string(r.Verdict)), r.about.subject, what, r.about.since)
}

// rows groups findings that have the same cause, the worst first.
func (r report) rows(all bool) []row {
	var out []row
	for _, mark := range []string{"missing", "unclear", "warning", "note", "met"} {
		if mark == "met" && !all {
			continue
		}
		first := len(out)
		for i, f := range r.judged {
			told := mark == "warning" && !all && slices.ContainsFunc(out[:first], func(r row) bool {
				return r.principal == f.Principal && r.reason == f.Reason // the same cause, and worse there
			})
			if markOf(f) != mark || told {
				continue
			}
			out = add(out, first, row{mark: mark, principal: f.Principal, permissions: []string{f.Permission},
				reason: f.Reason, remedy: f.Remedy, places: places(r.Findings[i])})
		}
	}
	return out
}

// markOf says under which heading a finding is listed.
func markOf(f core.Finding) string {
	switch {
	case f.Result == core.Met && f.Remedy != "":
		return "note"
	case f.Result == core.Met:
		return "met"
	case f.Severity != core.Critical:
		return "warning"
	case f.Result == core.Missing:
		return "missing"
	}
	return "unclear"
}

func add(rows []row, first int, r row) []row {
	for i := first; i < len(rows); i++ {
		same := &rows[i]
		if same.principal == r.principal && same.reason == r.reason && slices.Equal(same.places, r.places) {
			same.permissions = append(same.permissions, r.permissions...)
			same.others = same.others || same.remedy != r.remedy
			return rows
		}
	}
	return append(rows, r)
}

func places(r result) []string {
	var out []string
	for _, e := range r.Evidence {
		document, _, _ := strings.Cut(e.Document, "?")
		if _, vault, ok := strings.Cut(document, "/vaults/"); ok {
			document = vault // an ARM ID leaves no room for anything else
		}
		out = append(out, fmt.Sprintf("%s:%d", line(document), e.Line))
	}
	return out
}

func (a *app) row(r row, everyone []string, each int) {
	const margin = "            "
	head := strings.Join(r.permissions, ", ")
	switch {
	case r.principal == "": // a property
	case len(r.permissions) >= each && each > 1:
		head = fmt.Sprintf("all %d permissions", len(r.permissions))
	}
	if r.principal != "" {
		head += "  " + short(r.principal, everyone)
	}
	if len(r.places) > 0 {
		head += "  " + strings.Join(r.places[:min(3, len(r.places))], " ")
	}
	a.printf("  %-9s %s\n", r.mark, head)
	a.printf("%s%s\n", margin, line(r.reason))
	if r.remedy != "" {
		more := ""
		if r.others {
			more = ", and likewise for the others"
		}
		a.printf("%s→ %s%s\n", margin, line(r.remedy), more)
	}
}
