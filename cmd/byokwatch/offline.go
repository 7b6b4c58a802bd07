package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"byokwatch/core"
	"byokwatch/core/policy/awskms"
	"byokwatch/core/strict"
)

const stdinName = "<stdin>"

// file is one policy file as given.
type file struct {
	name string // for people
	data []byte
	docs []core.Document
}

// checkFiles judges files about a key.
func (a *app) checkFiles(f checkFlags, k core.Key) error {
	files, err := a.readFiles(f.policies)
	if err != nil {
		return err
	}
	p, err := gather(files, k)
	if err != nil {
		return err
	}
	q := core.Question{Key: k, At: a.now(), Needs: awskms.Needs(k, p, nil)}
	j := awskms.Judge(p, q)
	if j.Digest == "" {
		return fmt.Errorf("%s can't be judged: %s", names(files), j.Findings[0].Reason)
	}
	r := report{
		Verdict: alone(j), Assumed: j.Assumed, judged: j.Findings,
		Findings: results(j.Findings, files, p),
		about:    about{subject: "with " + names(files), marker: j.Marker, expires: j.Expires, add: ungiven(q, j.Findings)},
	}
	r.about.plan = hints(p, k, r.Verdict)
	a.code = exitOf(r.Verdict)
	if a.format == "json" {
		return a.json(r)
	}
	a.text(r, f.all)
	return nil
}

// maxPolicy is the largest key policy in bytes that KMS takes.
// Source: https://docs.aws.amazon.com/kms/latest/developerguide/resource-limits.html
const maxPolicy = 32768

// hints are what a person should know beside the findings.
func hints(p core.Policy, k core.Key, verdict core.State) []string {
	var out []string
	doc, _ := p.Find(core.KeyPolicy)
	if verdict == core.Unclear && k.Organization == "" && strings.Contains(doc.Text, "aws:PrincipalOrg") {
		out = append(out, "hint      a condition turns on the organization: give your own with --organization ID, or none")
	}
	if n := len(doc.Text); n > maxPolicy {
		out = append(out, fmt.Sprintf("note      the policy has %d bytes and KMS takes at most %d: it can't be applied as it is", n, maxPolicy))
	}
	return out
}

// alone is the verdict over a policy with no snapshot beside it.
func alone(j core.Judgement) core.State {
	state := core.Intact
	for _, f := range j.Findings {
		switch {
		case f.Severity != core.Critical || f.Aspect == core.Own:
		case f.Result == core.Missing:
			return core.Broken
		case f.Result == core.Undetermined:
			state = core.Unclear
		}
	}
	return state
}

// readFiles reads and recognises every file; standard input only once.
func (a *app) readFiles(names []string) ([]file, error) {
	if first := slices.Index(names, "-"); first >= 0 && slices.Contains(names[first+1:], "-") {
		return nil, usagef("standard input (-) can be read only once")
	}
	var out []file
	for _, name := range names {
		f, err := a.readFile(name)
		if err != nil {
			return nil, err
		}
		if f.docs, err = awskms.RecogniseAll(f.data); err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
		out = append(out, f)
	}
	return out, nil
}

func (a *app) readFile(name string) (file, error) {
	f, in := file{name: stdinName}, a.stdin
	if name != "-" {
		opened, err := os.Open(name)
		if err != nil {
			return file{}, err
		}
		defer opened.Close()
		f.name, in = name, opened
	}
	data, err := io.ReadAll(io.LimitReader(in, strict.MaxBytes+1))
	if err != nil {
		return file{}, fmt.Errorf("read %s: %w", f.name, err)
	}
	f.data = data
	return f, readable(f)
}

// readable refuses what can't be a policy in a way that says why.
func readable(f file) error {
	switch {
	case len(bytes.TrimSpace(f.data)) == 0:
		return fmt.Errorf("%s is empty: nothing was judged", f.name)
	case len(f.data) > strict.MaxBytes:
		return fmt.Errorf("%s is larger than any policy", f.name)
	case bytes.HasPrefix(f.data, []byte("\xff\xfe")), bytes.HasPrefix(f.data, []byte("\xfe\xff")):
		return fmt.Errorf("%s is UTF-16, as Windows PowerShell writes it: save it as UTF-8", f.name)
	case !utf8.Valid(f.data):
		return fmt.Errorf("%s is not UTF-8: save it as UTF-8", f.name)
	}
	return nil
}

// gather makes one policy of all files. A key has one policy and one metadata.
func gather(files []file, k core.Key) (core.Policy, error) {
	var p core.Policy
	from := map[core.Kind]string{}
	for _, f := range files {
		for _, d := range f.docs {
			if d.ID != "" && k.ID != "" && d.ID != k.ID {
				return nil, fmt.Errorf("%s is about %s, not about %s", f.name, d.ID, k.ID)
			}
			if d.Unreadable != "" {
				return nil, fmt.Errorf("%s holds no %s, for it could not be read: %s", f.name, d.Kind, d.Unreadable)
			}
			if first := from[d.Kind]; first != "" {
				return nil, fmt.Errorf("%s and %s both hold the document %s: a key has one", first, f.name, d.Kind)
			}
			from[d.Kind] = f.name
			d.ID = k.ID
			p = append(p, d)
		}
	}
	if from[core.KeyPolicy] == "" {
		return nil, errors.New("none of the files is a key policy: save one with aws kms get-key-policy --key-id ID --output text --query Policy")
	}
	return p, nil
}

func names(files []file) string {
	var out []string
	for _, f := range files {
		out = append(out, filepath.Base(f.name))
	}
	return strings.Join(out, " and ")
}

// place is where an offset in a document is for a person: the file and the line
// in it. Where the file holds the document as a JSON string, it is the line in
// the policy itself.
type place struct {
	document string
	line     int
}

// locate finds the file that a document came from, and the line of an offset in
// its text.
func locate(files []file, d core.Document, offset int) place {
	in := place{document: d.ID, line: 1 + strings.Count(d.Text[:min(offset, len(d.Text))], "\n")}
	for _, f := range files {
		for _, have := range f.docs {
			if have.Kind != d.Kind || have.Text != d.Text {
				continue
			}
			in.document = f.name
			if at := bytes.Index(f.data, []byte(d.Text)); at >= 0 {
				in.line += bytes.Count(f.data[:at], []byte("\n"))
			}
			return in
		}
	}
	return in
}
