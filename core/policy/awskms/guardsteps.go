package awskms

import (
	"errors"
	"fmt"

	"byokwatch/core"
	"byokwatch/core/strict"
)

// writes is what the steps would write, read off their bodies.
type writes struct {
	policy *string
	enable bool
}

func readSteps(steps []core.Step, key string) (writes, error) {
	var w writes
	if !keyARN.MatchString(key) {
		return w, errors.New("the key's ID is not a key ARN")
	}
	if len(steps) == 0 {
		return w, errors.New("no step")
	}
	for i, s := range steps {
		var err error
		switch {
		case s.ID != key:
			err = fmt.Errorf("it writes %q", s.ID)
		case s.Op == opPutKeyPolicy && w.policy == nil:
			err = w.readPut(s, key)
		case s.Op == opEnableKey && !w.enable:
			err = w.readEnable(s, key)
		default:
			err = fmt.Errorf("operation %q is unknown here or comes twice", s.Op)
		}
		if err != nil {
			return w, fmt.Errorf("step %d: %w", i, err)
		}
	}
	return w, nil
}

func (w *writes) readPut(s core.Step, key string) error {
	var b putBody
	if err := strict.Unmarshal(s.Body, &b); err != nil {
		return err
	}
	w.policy = &b.Policy
	line, err := command(key, "put-key-policy", putOptions)
	switch {
	case err != nil:
		return err
	case b.KeyId != key:
		return fmt.Errorf("its body names the key %q", b.KeyId)
	case b.PolicyName != "default":
		return fmt.Errorf("its body names the policy %q", b.PolicyName)
	case b.BypassPolicyLockoutSafetyCheck:
		return errors.New("its body skips KMS's lockout check")
	case s.Command != line:
		return errors.New("its command is not that of its body")
	}
	return nil
}

func (w *writes) readEnable(s core.Step, key string) error {
	var b enableBody
	if err := strict.Unmarshal(s.Body, &b); err != nil {
		return err
	}
	w.enable = true
	line, err := command(key, "enable-key", "")
	switch {
	case err != nil:
		return err
	case b.KeyId != key:
		return fmt.Errorf("its body names the key %q", b.KeyId)
	case s.Command != line:
		return errors.New("its command is not that of its body")
	}
	return nil
}

// guardState checks the rules on the key's state: the policy of a key that
// nobody can use is only written together with enabling it.
func guardState(live, good core.Policy, w writes, k core.Key) error {
	now, err := readMetadata(live)
	switch {
	case !w.enable && err == nil && now.nobodyCan():
		return fmt.Errorf("nobody can use the key, which is %q", now.KeyState)
	case !w.enable:
		return nil
	case k.KeyState != core.CareRestore:
		return errors.New("enabling the key was not opted in to")
	case err != nil:
		return fmt.Errorf("live: %w", err)
	}
	before, err := readMetadata(good)
	if err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	if now.KeyState != "Disabled" || before.KeyState != "Enabled" || !before.Enabled {
		return fmt.Errorf("the key is %q and was %q in the snapshot; it may only be enabled from Disabled, where it was Enabled", now.KeyState, before.KeyState)
	}
	return nil
}

// guardResult checks that the result is live with what the steps write, and
// nothing else. It compares by meaning: live may have been read again since, and
// KMS does not print one policy twice alike.
func guardResult(live, result core.Policy, w writes, key string) error {
	if len(live) != len(result) {
		return errors.New("its result has other documents than live")
	}
	for i, was := range live {
		is := result[i]
		if is.Kind != was.Kind || is.ID != was.ID || was.ID != key {
			return fmt.Errorf("document %d of its result is another one than in live", i)
		}
	}
	doc, err := policyDocument(result)
	switch {
	case err != nil:
		return fmt.Errorf("its result: %w", err)
	case w.policy != nil && doc.Text != *w.policy:
		return errors.New("its result is not the policy that it writes")
	}
	if w.policy == nil && !samePolicy(live, doc) {
		return errors.New("its result has another policy than live, its steps write none")
	}
	return sameState(live, result, w.enable)
}

// samePolicy says that a document means what live's key policy does.
func samePolicy(live core.Policy, doc core.Document) bool {
	was, err := policyDocument(live)
	return err == nil && digest(core.Policy{was}) != "" && digest(core.Policy{was}) == digest(core.Policy{doc})
}

// sameState checks that the key's state is the same in both, or enabled.
func sameState(live, result core.Policy, enable bool) error {
	was, err := readMetadata(live)
	is, errIs := readMetadata(result)
	switch {
	case err != nil && errIs != nil:
		return nil
	case err != nil || errIs != nil:
		return errors.New("its result has other key metadata than live")
	}
	if enable {
		was.Enabled, was.KeyState = true, "Enabled"
	}
	if was.Arn != is.Arn || was.canonical() != is.canonical() {
		return errors.New("its result changes the key's state otherwise than its steps")
	}
	return nil
}
