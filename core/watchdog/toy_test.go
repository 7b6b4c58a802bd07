package watchdog_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"byokwatch/core"
	"byokwatch/core/alert"
	"byokwatch/core/record"
	"byokwatch/core/watchdog"
)

// A toy cloud, so that the loop is tested without any real one: a policy is a
// document of lines, one clause each.
//
//	allow WHO PERM    deny WHO PERM    maybe WHO PERM (nobody can tell)
//	until TIME WHO PERM (an allow that ends)
//	revoked WHY       disabled
const toyPolicy core.Kind = "toy.policy"

const self = "self"

var perms = []string{"encrypt", "decrypt"}

func toyDoc(text string) core.Policy {
	return core.Policy{{Kind: toyPolicy, ID: keyID, Text: text}}
}

func toyNeeds(k core.Key, _, _ core.Policy) []core.Requirement {
	var out []core.Requirement
	for _, who := range k.Needs.Roles {
		for _, p := range perms {
			out = append(out, core.Requirement{Aspect: core.Access, Principal: who, Permission: p, Severity: core.Critical})
		}
	}
	out = append(out, core.Requirement{Aspect: core.Property, Permission: "enabled", Severity: core.Critical})
	if k.Mode == core.Enforce {
		out = append(out, core.Requirement{Aspect: core.Own, Principal: self, Permission: "write", Severity: core.Critical})
	}
	return out
}

func lines(p core.Policy) []string {
	d, _ := p.Find(toyPolicy)
	var out []string
	for l := range strings.Lines(d.Text) {
		if l = strings.TrimSpace(l); l != "" {
			out = append(out, l)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func toyDigest(p core.Policy) core.Digest {
	d, ok := p.Find(toyPolicy)
	if !ok || d.Unreadable != "" || strings.Contains(d.Text, "nonsense") {
		return ""
	}
	return core.Digest(fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(strings.Join(lines(p), "\n")))))
}

func toyJudge(p core.Policy, q core.Question) core.Judgement {
	j := core.Judgement{Digest: toyDigest(p)}
	one := func(who, perm string) core.Finding {
		f := core.Finding{Result: core.Missing}
		clause := func(l string, only bool) {
			f.Evidence = append(f.Evidence, core.Evidence{Document: keyID, Clause: core.Digest(l), ConfluentOnly: only})
		}
		allowed, denied, maybe := false, false, false
		for _, l := range lines(p) {
			w := strings.Fields(l)
			switch {
			case len(w) == 3 && w[0] == "allow" && w[1] == who && w[2] == perm:
				allowed = true
				clause(l, false)
			case len(w) == 3 && w[0] == "deny" && (w[1] == who || w[1] == "*") && w[2] == perm:
				denied = true
				clause(l, w[1] == who)
			case len(w) == 3 && w[0] == "maybe" && w[1] == who && w[2] == perm:
				maybe = true
				clause(l, false)
			case len(w) == 4 && w[0] == "until" && w[2] == who && w[3] == perm:
				end, _ := time.Parse(time.RFC3339, w[1])
				if q.At.Before(end) {
					allowed = true
					if j.Expires.IsZero() || end.Before(j.Expires) {
						j.Expires = end
					}
				}
				clause(l, false)
			}
		}
		switch {
		case denied:
		case allowed:
			f.Result = core.Met
		case maybe:
			f.Result = core.Undetermined
		}
		if j.Digest == "" {
			f.Result = core.Undetermined
		}
		return f
	}
	for _, l := range lines(p) {
		if w := strings.Fields(l); w[0] == "revoked" {
			j.Revoked, j.Marker = true, strings.Join(w[1:], " ")
		}
		j.Disabled = j.Disabled || l == "disabled"
	}
	for _, r := range q.Needs {
		f := core.Finding{Result: core.Met}
		switch r.Aspect {
		case core.Property:
			if j.Disabled {
				f.Result = core.Missing
			}
			if j.Digest == "" {
				f.Result = core.Undetermined
			}
		default:
			f = one(r.Principal, r.Permission)
		}
		f.Requirement = r
		j.Findings = append(j.Findings, f)
	}
	j.Writable = one(self, "write").Result
	return j
}

func toyCandidates(live, good core.Policy, q core.Question, lost []core.Requirement) ([]core.Candidate, error) {
	out := lines(live)
	for _, r := range lost {
		switch r.Aspect {
		case core.Access:
			out = slices.DeleteFunc(out, func(l string) bool { return l == "deny "+r.Principal+" "+r.Permission })
			for _, l := range lines(good) {
				if strings.HasSuffix(l, " "+r.Principal+" "+r.Permission) {
					out = append(out, l)
				}
			}
		case core.Property:
			if q.Key.KeyState == core.CareRestore {
				out = slices.DeleteFunc(out, func(l string) bool { return l == "disabled" })
			}
		}
	}
	put := func(name string, lines []string) core.Candidate {
		text := strings.Join(lines, "\n")
		body, _ := json.Marshal(text)
		return core.Candidate{Name: name, Result: toyDoc(text), Steps: []core.Step{{Op: "Put", ID: keyID, Body: body, Command: "toy put"}}}
	}
	return []core.Candidate{put("patch", out), put("patch without extras", slices.DeleteFunc(slices.Clone(out), func(l string) bool { return strings.HasPrefix(l, "allow extra") }))}, nil
}

func toyGuard(live, good core.Policy, c core.Candidate, q core.Question, _ bool) error {
	for _, l := range lines(c.Result) {
		w := strings.Fields(l)
		if slices.Contains(lines(live), l) || slices.Contains(lines(good), l) && len(w) > 2 && slices.Contains(q.Key.Needs.Roles, w[len(w)-2]) {
			continue
		}
		return fmt.Errorf("%q would be new", l)
	}
	return nil
}

func toyDiff(from, to core.Policy) []core.Difference {
	var out []core.Difference
	for _, l := range lines(to) {
		if !slices.Contains(lines(from), l) {
			d := core.Difference{Change: core.Other, Text: "+ " + l}
			if strings.HasPrefix(l, "allow") {
				d.Change, d.Principal = core.Admits, strings.Fields(l)[1]
			}
			out = append(out, d)
		}
	}
	for _, l := range lines(from) {
		if !slices.Contains(lines(to), l) {
			kind := core.Other
			if strings.HasPrefix(l, "deny") {
				kind = core.LosesDeny
			}
			out = append(out, core.Difference{Change: kind, Text: "- " + l})
		}
	}
	return out
}

var toyRules = watchdog.Rules{
	Needs: toyNeeds, Judge: toyJudge, Candidates: toyCandidates, Guard: toyGuard, Diff: toyDiff,
	Trim:     func(p core.Policy, _ core.Question) core.Policy { return p },
	Fragment: func(_ core.Question, m []core.Requirement) string { return fmt.Sprintf("%d lines to add", len(m)) },
	Unlock:   func(core.Policy, core.Question, []core.Requirement) []string { return []string{"toy unlock"} },
}

// toyCloud holds one key's policy. Every write is on record.
type toyCloud struct {
	mu     sync.Mutex
	text   string
	writes []string // by the watchdog
	// stale is what reads answer, so many times.
	stale   string
	staleN  int
	reads   int
	readErr error
	// applyErr answers writes, one after the other; a nil lets one through.
	applyErr []error
	// onRead and onApply run inside the call, before it takes effect.
	onRead, onApply func(n int)
}

func (c *toyCloud) Read(context.Context, core.Key) (core.Policy, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reads++
	if c.onRead != nil {
		c.onRead(c.reads)
	}
	if c.readErr != nil {
		return nil, c.readErr
	}
	if c.staleN > 0 {
		c.staleN--
		return toyDoc(c.stale), nil
	}
	return toyDoc(c.text), nil
}

func (c *toyCloud) Apply(_ context.Context, _ core.Key, s core.Step) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.onApply != nil {
		c.onApply(len(c.writes) + 1)
	}
	if len(c.applyErr) > 0 {
		err := c.applyErr[0]
		c.applyErr = c.applyErr[1:]
		if err != nil {
			return err
		}
	}
	var text string
	if s.Op != "Put" || json.Unmarshal(s.Body, &text) != nil {
		return errors.New("not a toy step")
	}
	c.text = text
	c.writes = append(c.writes, text)
	return nil
}

func (c *toyCloud) set(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.text = text
}

// toyChat accepts alerts and remembers them.
type toyChat struct {
	mu   sync.Mutex
	got  []alert.Alert
	down error
}

func (c *toyChat) Name() string           { return "chat" }
func (c *toyChat) Wants(alert.Alert) bool { return true }
func (c *toyChat) Send(_ context.Context, a alert.Alert) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down != nil {
		return c.down
	}
	c.got = append(c.got, a)
	return nil
}

// codes lists what was told, oldest first.
func (c *toyChat) codes() []alert.Code {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []alert.Code
	for _, a := range c.got {
		out = append(out, a.Code)
	}
	return out
}

func (c *toyChat) last(code alert.Code) alert.Alert {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := len(c.got) - 1; i >= 0; i-- {
		if c.got[i].Code == code {
			return c.got[i]
		}
	}
	return alert.Alert{}
}

// brokenStore fails some operations of a real one.
type brokenStore struct {
	record.Objects
	get, put, list error
}

func (b *brokenStore) Get(ctx context.Context, name string) (record.Object, error) {
	if b.get != nil {
		return record.Object{}, b.get
	}
	return b.Objects.Get(ctx, name)
}

func (b *brokenStore) Put(ctx context.Context, name string, data []byte, version string) (string, error) {
	if b.put != nil {
		return "", b.put
	}
	return b.Objects.Put(ctx, name, data, version)
}

func (b *brokenStore) List(ctx context.Context, prefix string) ([]string, error) {
	if b.list != nil {
		return nil, b.list
	}
	return b.Objects.List(ctx, prefix)
}
