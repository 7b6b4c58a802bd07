package awskms

import (
	"slices"
	"strings"

	"byokwatch/core"
)

// Unlock lists the commands that an administrator of the key's account runs to
// repair what the watchdog must not or can't. A line that begins with # says
// what to do by hand before the next. Only the key's ARN and our own role's
// enter a line, and only if they pass their grammar: for any other key there is
// nothing that could be run safely.
func Unlock(live core.Policy, q core.Question, missing []core.Requirement) []string {
	var out []string
	add := func(lines ...string) { out = append(out, lines...) }
	call := func(verb, options string) string {
		line, _ := command(q.Key.ID, verb, options)
		return line
	}
	if !keyARN.MatchString(q.Key.ID) {
		return nil
	}
	rights := own(missing)
	fragment := Fragment(q, missing)
	if len(rights) > 0 || fragment != "" {
		add(call("get-key-policy", "--policy-name default --query Policy --output text > policy.json"))
		if len(rights) > 0 {
			add(comment(rightsHint(q.Self, rights))...)
		}
		if fragment != "" {
			add(comment("In policy.json, exempt Confluent from what denies it the same, and add to Statement:\n" + fragment)...)
		}
		add(call("put-key-policy", putOptions))
	}
	m, err := readMetadata(live)
	switch {
	case err != nil:
	case m.deleting():
		add("# The key is scheduled for deletion. Cancelling that leaves it disabled.", call("cancel-key-deletion", ""), call("enable-key", ""))
	case m.KeyState == "Disabled":
		add(call("enable-key", ""))
	case m.KeyState == "PendingImport":
		add("# The key has lost its key material: import the same material again.")
	case m.KeyState == "Unavailable":
		add("# Connect the key's custom key store again.")
	}
	return out
}

// own lists the watchdog's rights among what is missing.
func own(missing []core.Requirement) []string {
	var out []string
	for _, r := range missing {
		if known := []string{getKeyPolicy, describeKey, putKeyPolicy, enableKey}; r.Aspect == core.Own && slices.Contains(known, r.Permission) {
			out = appendNew(out, r.Permission)
		}
	}
	return out
}

// rightsHint is the statements that give our role its rights. Without a role
// that we could name, it says so.
func rightsHint(self string, rights []string) string {
	if !roleARN.MatchString(self) {
		return "In policy.json, give the watchdog's role " + strings.Join(rights, ", ") + "."
	}
	return "In policy.json, exempt the role from what denies it the same, and add to Statement:\n" + statementList(allowing(self, rights))
}

// comment makes every line one that a shell ignores.
func comment(text string) []string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for i, l := range lines {
		lines[i] = "# " + l
	}
	return lines
}
