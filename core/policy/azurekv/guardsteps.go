package azurekv

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"byokwatch/core"
	"byokwatch/core/rawjson"
	"byokwatch/core/strict"
)

// readSteps reads off their bodies what steps would write. Whatever is not
// exactly the step that would be made for it is an error: another resource,
// member, spelling or command.
func readSteps(steps []core.Step, on scene) (writes, error) {
	var w writes
	if len(steps) == 0 {
		return w, errors.New("no step")
	}
	for i, s := range steps {
		var want core.Step
		var err error
		switch s.Op {
		case opAssign:
			want, err = w.readGrant(s, on)
		case opPolicies:
			want, err = w.readPolicies(s, on)
		case opVault:
			want, err = w.readVault(s, on)
		case opKey:
			want, err = w.readVersion(s, on)
		default:
			err = fmt.Errorf("nothing is known here of the operation %q", s.Op)
		}
		switch {
		case err != nil:
		case s.ID != want.ID:
			err = fmt.Errorf("it writes %q", s.ID)
		case !rawjson.Same(string(s.Body), string(want.Body)):
			err = errors.New("its body is not what may be written")
		case s.Command != want.Command:
			err = errors.New("its command is not that of its body")
		}
		if err != nil {
			return w, fmt.Errorf("step %d: %w", i, err)
		}
	}
	return w, nil
}

func (w *writes) readGrant(s core.Step, on scene) (core.Step, error) {
	var b assignBody
	if err := strict.Unmarshal(s.Body, &b); err != nil {
		return core.Step{}, err
	}
	p := b.Properties
	g := grant{name: lastSegment(s.ID), role: lastSegment(p.RoleDefinitionID), when: clause{p.Condition, p.ConditionVersion}}
	switch {
	case p.PrincipalID != on.principal:
		return core.Step{}, fmt.Errorf("it assigns to %q", p.PrincipalID)
	case g.when.text == "" && g.when.version != "":
		return core.Step{}, errors.New("it has the version of a condition and no condition")
	case slices.ContainsFunc(w.grants, func(o grant) bool { return o.role == g.role || o.name == g.name }):
		return core.Step{}, errors.New("it comes twice")
	}
	w.grants = append(w.grants, g)
	return on.at.assignStep(g, on.principal)
}

func (w *writes) readPolicies(s core.Step, on scene) (core.Step, error) {
	var b policiesBody
	if err := strict.Unmarshal(s.Body, &b); err != nil {
		return core.Step{}, err
	}
	switch {
	case len(w.keys) > 0:
		return core.Step{}, errors.New("it comes twice")
	case len(b.Properties.AccessPolicies) != 1:
		return core.Step{}, fmt.Errorf("it adds %d access policies", len(b.Properties.AccessPolicies))
	case len(b.Properties.AccessPolicies[0].Permissions.Keys) == 0:
		return core.Step{}, errors.New("it adds no permission")
	}
	w.keys = b.Properties.AccessPolicies[0].Permissions.Keys
	return on.at.policyStep(on.vault.tenant(), on.principal, w.keys, on.vault.keys(on.principal))
}

func (w *writes) readVault(s core.Step, on scene) (core.Step, error) {
	var b vaultBody
	if err := strict.Unmarshal(s.Body, &b); err != nil {
		return core.Step{}, err
	}
	if w.opening != (opening{}) {
		return core.Step{}, errors.New("it comes twice")
	}
	o := opening{public: b.Properties.PublicNetworkAccess}
	if rules := string(b.Properties.NetworkAcls); rules != "" {
		next, err := rawjson.CutObject(rules)
		if err != nil {
			return core.Step{}, fmt.Errorf("networkAcls: %w", err)
		}
		o.bypass, o.action = changed(on.vault.rules(), next, "bypass"), changed(on.vault.rules(), next, "defaultAction")
	}
	if o == (opening{}) {
		return core.Step{}, errors.New("it changes nothing that may be changed")
	}
	w.opening = o
	return on.at.vaultStep(o, on.vault.rulesFor(o))
}

// changed is the new text of a member, "" where it is as it was.
func changed(was, is rawjson.Object, name string) string {
	if rawjson.Same(was.Get(name), is.Get(name)) {
		return ""
	}
	return textOf(is, name)
}

func (w *writes) readVersion(s core.Step, on scene) (core.Step, error) {
	var b keyBody
	if err := strict.Unmarshal(s.Body, &b); err != nil {
		return core.Step{}, err
	}
	version, ok := strings.CutPrefix(s.ID, on.at.versionID(""))
	if !ok || slices.Contains(w.versions, version) {
		return core.Step{}, fmt.Errorf("it writes %q, which is not a version of this key or comes twice", s.ID)
	}
	w.versions = append(w.versions, version)
	return on.at.versionStep(version)
}
