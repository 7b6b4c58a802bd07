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
	"byokwatch/core/policy/azurekv"
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
	cloud := mustPlatform(k.Cloud)
	files, err := a.readFiles(f.policies, cloud)
	if err != nil {
		return err
	}
	p, k, err := cloud.gather(files, k)
	if err != nil {
		return err
	}
	q := core.Question{Key: k, At: a.now(), Needs: cloud.rules.Needs(k, p, nil)}
	j := cloud.rules.Judge(p, q)
	if j.Digest == "" {
		return fmt.Errorf("%s can't be judged: %s", names(files), j.Findings[0].Reason)
	}
	// Whose rights the watchdog's own are nobody said.
	j.Findings = slices.DeleteFunc(j.Findings, func(f core.Finding) bool { return f.Aspect == core.Own })
	r := report{
		Verdict: alone(j), Assumed: j.Assumed, judged: j.Findings,
		Findings: results(j.Findings, files, p),
		about:    about{subject: "with " + names(files), marker: j.Marker, expires: j.Expires, add: ungiven(q, j.Findings), list: cloud.list},
	}
	r.about.plan = cloud.hints(p, k, j, r.Verdict)
	a.code = exitOf(r.Verdict)
	if a.format == "json" {
		return a.json(r)
	}
	a.text(r, f.all)
	return nil
}

// alone is the verdict over a policy with no snapshot beside it.
func alone(j core.Judgement) core.State {
	state := core.Intact
	for _, f := range j.Findings {
		switch {
		case f.Severity != core.Critical:
		case f.Result == core.Missing:
			return core.Broken
		case f.Result == core.Undetermined:
			state = core.Unclear
		}
	}
	return state
}

// readFiles reads every file and recognises it as one of a cloud; standard input
// only once.
func (a *app) readFiles(names []string, cloud platform) ([]file, error) {
	files, err := a.readAll(names)
	if err != nil {
		return nil, err
	}
	return files, recognise(files, cloud)
}

// readAlike reads files whose cloud nobody told: it is the one that knows them
// all.
func (a *app) readAlike(names []string) ([]file, core.Cloud, error) {
	files, err := a.readAll(names)
	if err != nil {
		return nil, "", err
	}
	var errs []error
	for _, cloud := range reached() {
		err := recognise(files, mustPlatform(cloud))
		if err == nil {
			return files, cloud, nil
		}
		errs = append(errs, fmt.Errorf("as %s: %w", mustPlatform(cloud).title, err))
	}
	return nil, "", errors.Join(errs...)
}

func recognise(files []file, cloud platform) error {
	for i := range files {
		var err error
		if files[i].docs, err = cloud.recognise(files[i].data); err != nil {
			return fmt.Errorf("%s: %w", files[i].name, err)
		}
	}
	return nil
}

func (a *app) readAll(names []string) ([]file, error) {
	if first := slices.Index(names, "-"); first >= 0 && slices.Contains(names[first+1:], "-") {
		return nil, usagef("standard input (-) can be read only once")
	}
	var out []file
	for _, name := range names {
		f, err := a.readFile(name)
		if err != nil {
			return nil, err
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

// locate finds the file that a document came from, and the line of a clause in
// it.
func locate(files []file, d core.Document, e core.Evidence) place {
	text := strings.TrimLeft(d.Text, " ")
	at := min(max(0, e.Start-len(d.Text)+len(text)), len(text))
	in := place{document: d.ID, line: 1 + strings.Count(text[:at], "\n")}
	for _, f := range files {
		for _, have := range f.docs {
			if have.Kind != d.Kind || have.Text != d.Text || strings.HasPrefix(d.ID, azurekv.FromFile) && have.ID != d.ID {
				continue
			}
			in.document = f.name
			if at := bytes.Index(f.data, []byte(text)); at >= 0 {
				in.line += bytes.Count(f.data[:at], []byte("\n"))
			} else if line, ok := lineInYAML(f.data, d.Kind, e.Statement); ok {
				in.line = line
			}
			return in
		}
	}
	return in
}
