package gcpkms

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"byokwatch/core"
	"byokwatch/core/rawjson"
	"byokwatch/core/strict"
)

// writes is what the steps would write, read off their bodies.
type writes struct {
	policy   string   // "" if none
	versions []string // numbers of versions to enable
}

func readSteps(steps []core.Step, key string) (writes, error) {
	var w writes
	if _, err := resourceOf(key); err != nil {
		return w, err
	}
	if len(steps) == 0 {
		return w, errors.New("no step")
	}
	for i, s := range steps {
		var err error
		switch {
		case s.Op == opSetIamPolicy && w.policy == "":
			err = w.readPolicy(s, key)
		case s.Op == opUpdateVersion:
			err = w.readVersion(s, key)
		default:
			err = fmt.Errorf("operation %q is unknown here or comes twice", s.Op)
		}
		if err != nil {
			return w, fmt.Errorf("step %d: %w", i, err)
		}
	}
	return w, nil
}

func (w *writes) readPolicy(s core.Step, key string) error {
	var b setBody
	if err := strict.Unmarshal(s.Body, &b); err != nil {
		return err
	}
	w.policy = string(b.Policy)
	line, err := policyStep(key, "{}")
	switch {
	case err != nil:
		return err
	case s.ID != key:
		return fmt.Errorf("it writes %q", s.ID)
	case b.UpdateMask != policyMask:
		return fmt.Errorf("its update mask is %q", b.UpdateMask)
	case w.policy == "":
		return errors.New("its body has no policy")
	case s.Command != line.Command:
		return errors.New("its command is not that of its body")
	}
	return nil
}

func (w *writes) readVersion(s core.Step, key string) error {
	var b versionBody
	if err := strict.Unmarshal(s.Body, &b); err != nil {
		return err
	}
	number, ok := strings.CutPrefix(s.ID, key+"/cryptoKeyVersions/")
	if !ok || slices.Contains(w.versions, number) {
		return fmt.Errorf("it writes %q, which is not a version of this key or comes twice", s.ID)
	}
	line, err := versionStep(key, number)
	switch {
	case err != nil:
		return err
	case b.State != stateEnabled:
		return fmt.Errorf("it sets the state %q", b.State)
	case s.Command != line.Command:
		return errors.New("its command is not that of its body")
	}
	w.versions = append(w.versions, number)
	return nil
}

// guardVersions checks the rules on the key's versions.
func guardVersions(live, good core.Policy, w writes, k core.Key) error {
	if len(w.versions) == 0 {
		return nil
	}
	if k.KeyState != core.CareRestore {
		return errors.New("enabling key versions was not opted in to")
	}
	now, _, err := rowsOf(live, k.ID)
	if err != nil {
		return fmt.Errorf("live: %w", err)
	}
	before, _, err := rowsOf(good, k.ID)
	if err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	for _, n := range w.versions {
		if !slices.Contains(now, row{n, stateDisabled}) || !slices.Contains(before, row{n, stateEnabled}) {
			return fmt.Errorf("version %s may only be enabled from %s, where it was %s in the snapshot", n, stateDisabled, stateEnabled)
		}
	}
	return nil
}

// guardResult checks that the result is live with what the steps write and
// nothing else. Of documents that no step writes it compares the meaning: live
// may have been read again since. The roles of new bindings may come from the
// snapshot, where live does not show them.
func guardResult(live, good, result core.Policy, w writes, q core.Question) error {
	want, err := enabled(live, q.Key.ID, w.versions)
	if err != nil {
		return fmt.Errorf("live: %w", err)
	}
	if w.policy != "" {
		doc, err := documentOf(result, core.IAMPolicy, q.Key.ID)
		if err != nil {
			return fmt.Errorf("its result: %w", err)
		}
		if !rawjson.Same(doc.Text, w.policy) {
			return errors.New("its result is not the policy that it writes")
		}
		want = withText(want, core.IAMPolicy, q.Key.ID, w.policy)
	}
	if len(result) < len(want) {
		return errors.New("its result has fewer documents than live")
	}
	for i, d := range result {
		switch {
		case i < len(want) && d.Ref() == want[i].Ref():
		case i >= len(want) && w.policy != "" && d.Kind == core.Role && slices.Contains(good, d) && !slices.ContainsFunc(want, func(o core.Document) bool { return o.Ref() == d.Ref() }):
			want = append(want, d)
		default:
			return fmt.Errorf("document %d of its result is another one than in live", i)
		}
	}
	is, then := Judge(result, q), Judge(want, q)
	switch {
	case is.Digest == "" || is.Digest != then.Digest:
		return errors.New("its result is not live with what its steps write")
	case is.Disabled:
		return errors.New("nobody could use the key")
	}
	return nil
}
