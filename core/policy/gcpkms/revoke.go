package gcpkms

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"byokwatch/core"
	"byokwatch/core/policy/wording"
	"byokwatch/core/rawjson"
)

var (
	// ErrRevoked: the key already carries the revocation label.
	ErrRevoked = errors.New("already revoked")
	// ErrNotRevoked: the key carries no revocation label.
	ErrNotRevoked = errors.New("not revoked")
)

// Revoke marks a key as revoked, by the label byokwatch-revoked whose value is
// the reason, and then takes Confluent's group out of every binding on the key.
// The label goes first: a watchdog that looks in between must not give back.
// What the group has from above the key, or as everybody, stays, and Left says
// so: those levels hold other people's access as well.
func Revoke(live core.Policy, q core.Question, reason string) (core.Candidate, error) {
	c, err := revoke(live, q, reason)
	if err != nil {
		return core.Candidate{}, fmt.Errorf("revoke %s: %w", q.Key.Name(), err)
	}
	return c, nil
}

func revoke(live core.Policy, q core.Question, reason string) (core.Candidate, error) {
	if !groupGrammar.MatchString(q.Key.Needs.Group) {
		return core.Candidate{}, errors.New("no Confluent group is configured")
	}
	key, err := keyObject(live, q.Key.ID)
	if err != nil {
		return core.Candidate{}, err
	}
	labels := labelsOf(key)
	if _, marked := labels[revocationLabel]; marked {
		return core.Candidate{}, ErrRevoked
	}
	s, err := ownSheet(live, q.Key.ID)
	if err != nil {
		return core.Candidate{}, err
	}
	if s.etag() == "" {
		return core.Candidate{}, errors.New("the policy has no etag, without which a write could undo somebody else's")
	}
	value := labelValue(reason)
	labels[revocationLabel] = value
	step, err := labelStep(q.Key.ID, labels, "--update-labels="+revocationLabel+"="+value)
	if err != nil {
		return core.Candidate{}, err
	}
	c := core.Candidate{Name: "revoke", Steps: []core.Step{step}, Result: withLabels(live, key, q.Key.ID, labels)}
	if text, changed := s.taken(q.Key.Needs.Group); changed {
		if step, err = policyStep(q.Key.ID, text); err != nil {
			return core.Candidate{}, err
		}
		c.Steps = append(c.Steps, step)
		c.Result = withText(c.Result, core.IAMPolicy, q.Key.ID, text)
	}
	for _, f := range Judge(c.Result, q).Findings {
		if f.Aspect == core.Access && f.Result != core.Missing {
			c.Left = append(c.Left, fmt.Sprintf("%s still has %s, by a binding that is not on the key or not the group's own: take it away there.", f.Principal, f.Permission))
		}
	}
	return c, nil
}

// Reinstate takes the revocation label off a key, and nothing else: the
// watchdog gives Confluent back what the snapshot shows it to have had.
func Reinstate(live core.Policy, q core.Question) (core.Candidate, error) {
	key, err := keyObject(live, q.Key.ID)
	if err != nil {
		return core.Candidate{}, fmt.Errorf("reinstate %s: %w", q.Key.Name(), err)
	}
	labels := labelsOf(key)
	if _, marked := labels[revocationLabel]; !marked {
		return core.Candidate{}, fmt.Errorf("reinstate %s: %w", q.Key.Name(), ErrNotRevoked)
	}
	delete(labels, revocationLabel)
	step, err := labelStep(q.Key.ID, labels, "--remove-labels="+revocationLabel)
	if err != nil {
		return core.Candidate{}, fmt.Errorf("reinstate %s: %w", q.Key.Name(), err)
	}
	return core.Candidate{Name: "reinstate", Steps: []core.Step{step}, Result: withLabels(live, key, q.Key.ID, labels)}, nil
}

func keyObject(p core.Policy, key string) (rawjson.Object, error) {
	doc, err := documentOf(p, core.CryptoKey, key)
	if err != nil {
		return rawjson.Object{}, err
	}
	o, err := rawjson.ReadObject(doc.Text)
	if err != nil {
		return rawjson.Object{}, fmt.Errorf("key: %w", err)
	}
	return o, nil
}

// withLabels is p with other labels on its key.
func withLabels(p core.Policy, key rawjson.Object, id string, labels map[string]string) core.Policy {
	var names []string
	for name := range labels {
		names = append(names, name)
	}
	slices.Sort(names)
	var o rawjson.Object
	for _, name := range names {
		o = o.With(name, rawjson.Quote(labels[name]))
	}
	return withText(p, core.CryptoKey, id, key.With("labels", o.String()).String())
}

// taken is the policy without the group, dead or alive, and whether that
// changes it.
func (s sheet) taken(group string) (string, bool) {
	changed := false
	out := rawjson.List{Tail: s.list.Tail}
	for i, g := range s.grants {
		e := s.list.Elements[i]
		l, err := rawjson.CutList(g.object.Get("members"))
		if err != nil {
			out.Elements = append(out.Elements, e)
			continue
		}
		kept := rawjson.List{Tail: l.Tail}
		for j, m := range g.members {
			if !isGroup(m, group) && !isDeadGroup(m, group) {
				kept.Elements = append(kept.Elements, l.Elements[j])
			}
		}
		if len(kept.Elements) == len(l.Elements) {
			out.Elements = append(out.Elements, e)
			continue
		}
		changed = true
		if len(kept.Elements) > 0 {
			e.Value = g.object.With("members", kept.String()).String()
			out.Elements = append(out.Elements, e)
		}
	}
	return s.written(out), changed
}

// labelValue writes a reason in the characters that a label's value may have.
// Source: https://cloud.google.com/kms/docs/creating-managing-labels
func labelValue(reason string) string {
	plain := strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9', r == '-', r == '_':
			return r
		}
		return ' '
	}, wording.Lower(reason))
	plain = strings.Join(strings.Fields(plain), "-")
	if len(plain) > 63 {
		plain = plain[:63]
	}
	if plain = strings.Trim(plain, "-"); plain == "" {
		return "yes"
	}
	return plain
}
