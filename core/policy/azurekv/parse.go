package azurekv

import (
	"errors"
	"fmt"
	"strings"

	"byokwatch/core"
	"byokwatch/core/policy/wording"
	"byokwatch/core/rawjson"
)

// Azure prints each of these documents in two forms: as Azure Resource Manager
// answers, with most members within properties, and as az prints it, flat. Both
// are read into the same, member by member; a document that says a thing twice,
// and not the same, does not parse.

// once is a field that holds a string, null being none.
func once(r rawjson.Reader, name string, to *string) rawjson.Field {
	var s string
	f := r.Word(name, &s)
	return r.OrNull(rawjson.Field{Name: name, Read: func() error {
		if err := f.Read(); err != nil {
			return err
		}
		if *to != "" && *to != s {
			return fmt.Errorf("%s is given twice, and not the same", name)
		}
		*to = s
		return nil
	}})
}

// nested is a field that holds an object of more fields.
func nested(r rawjson.Reader, name string, fields ...rawjson.Field) rawjson.Field {
	return rawjson.Field{Name: name, Read: func() error {
		_, _, err := r.Object(name, fields...)
		return err
	}}
}

// listed is a field that holds a list.
func listed(r rawjson.Reader, name string, element func(i int) error) rawjson.Field {
	return rawjson.Field{Name: name, Read: func() error { return r.List(name, element) }}
}

// errPaged marks one page of a list.
var errPaged = errors.New("it is only the first part of a list; more follows at its nextLink")

// elements reads a list, or the answer of Azure Resource Manager that wraps one.
func elements(r rawjson.Reader, what string, element func(i int) error) error {
	if r.Kind() != '{' {
		return r.List(what, element)
	}
	next, told := "", false
	_, _, err := r.Object(what, once(r, "nextLink", &next), rawjson.Field{Name: "value", Read: func() error {
		told = true
		return r.List(what, element)
	}})
	switch {
	case err != nil:
		return err
	case !told:
		return fmt.Errorf("%s is an object without a list", what)
	case next != "":
		return errPaged
	}
	return nil
}

// parseAssignments reads a list of role assignments.
func parseAssignments(text string) ([]assignment, error) {
	r, err := rawjson.NewReader(text)
	if err != nil {
		return nil, err
	}
	var a assignment
	definition := ""
	members := []rawjson.Field{
		once(r, "scope", &a.Scope), once(r, "principalId", &a.PrincipalID), once(r, "principalType", &a.PrincipalType),
		once(r, "roleDefinitionId", &definition), once(r, "roleDefinitionName", &a.RoleName),
		once(r, "condition", &a.Condition), once(r, "conditionVersion", &a.ConditionVersion),
		once(r, "delegatedManagedIdentityResourceId", &a.Delegated),
	}
	fields := append([]rawjson.Field{once(r, "id", &a.ID), once(r, "name", &a.Name), nested(r, "properties", members...)}, members...)
	var out []assignment
	err = elements(r, "the list of role assignments", func(i int) error {
		a, definition = assignment{index: i}, ""
		var err error
		a.start, a.end, err = r.Object("a role assignment", fields...)
		switch {
		case err != nil:
		case a.Scope == "":
			err = errors.New("it has no scope")
		case a.PrincipalID == "" || definition == "":
			err = errors.New("it names no principal or no role")
		}
		if err != nil {
			return fmt.Errorf("role assignment %d: %w", i, err)
		}
		a.scope, a.principal, a.role = wording.Lower(a.Scope), wording.Lower(a.PrincipalID), roleOf(definition)
		out = append(out, a)
		return nil
	})
	return out, err
}

// permissions is a field that holds what a role gives or a deny assignment takes.
func permissions(r rawjson.Reader, to *[]permission) rawjson.Field {
	return listed(r, "permissions", func(i int) error {
		var p permission
		if i == 0 && len(*to) > 0 {
			return errors.New("permissions are given twice")
		}
		_, _, err := r.Object("permissions", r.Words("actions", &p.Actions), r.Words("notActions", &p.NotActions),
			r.Words("dataActions", &p.DataActions), r.Words("notDataActions", &p.NotDataActions),
			once(r, "condition", &p.Condition), once(r, "conditionVersion", &p.ConditionVersion))
		for _, list := range [][]string{p.Actions, p.NotActions, p.DataActions, p.NotDataActions} {
			foldAll(list)
		}
		*to = append(*to, p)
		return err
	})
}

// parseRoles reads a list of role definitions. What az calls roleType is called
// type among the properties of Azure Resource Manager.
func parseRoles(text string) ([]role, error) {
	r, err := rawjson.NewReader(text)
	if err != nil {
		return nil, err
	}
	var out []role
	err = elements(r, "the list of role definitions", func(i int) error {
		d := role{index: i}
		id, name, kind := "", "", ""
		given := permissions(r, &d.Permissions)
		var err error
		d.start, d.end, err = r.Object("a role definition", once(r, "id", &id), once(r, "name", &name), once(r, "roleName", &d.Name), once(r, "roleType", &kind), given,
			nested(r, "properties", once(r, "roleName", &d.Name), once(r, "type", &kind), given))
		d.ID = roleOf(id)
		switch {
		case err != nil:
		case id != "" && name != "" && wording.Lower(name) != d.ID:
			err = errors.New("its id and its name differ")
		case id == "" && name == "":
			err = errors.New("it has neither id nor name")
		}
		if err != nil {
			return fmt.Errorf("role definition %d: %w", i, err)
		}
		if id == "" {
			d.ID = wording.Lower(name)
		}
		d.Custom = !wording.Same(kind, "BuiltInRole")
		out = append(out, d)
		return nil
	})
	return out, err
}

// parseDenials reads a list of deny assignments.
func parseDenials(text string) ([]denial, error) {
	r, err := rawjson.NewReader(text)
	if err != nil {
		return nil, err
	}
	var out []denial
	err = elements(r, "the list of deny assignments", func(i int) error {
		d := denial{index: i}
		members := []rawjson.Field{
			once(r, "denyAssignmentName", &d.Name), once(r, "scope", &d.Scope), r.OrNull(r.Flag("doNotApplyToChildScopes", &d.ScopeOnly)),
			permissions(r, &d.Permissions), principals(r, "principals", &d.Principals), principals(r, "excludePrincipals", &d.Excluded),
		}
		var err error
		d.start, d.end, err = r.Object("a deny assignment", append([]rawjson.Field{once(r, "id", &d.ID), nested(r, "properties", members...)}, members...)...)
		switch {
		case err != nil:
		case d.Scope == "":
			err = errors.New("it has no scope")
		case len(d.Permissions) == 0:
			err = errors.New("it has no permissions")
		case len(d.Principals) == 0:
			err = errors.New("it names nobody")
		}
		if err != nil {
			return fmt.Errorf("deny assignment %d: %w", i, err)
		}
		d.scope = strings.TrimRight(wording.Lower(d.Scope), "/")
		out = append(out, d)
		return nil
	})
	return out, err
}

func principals(r rawjson.Reader, name string, to *[]principal) rawjson.Field {
	return listed(r, name, func(i int) error {
		var p principal
		if i == 0 && len(*to) > 0 {
			return fmt.Errorf("%s are given twice", name)
		}
		_, _, err := r.Object(name, once(r, "id", &p.id), once(r, "type", &p.kind))
		if err == nil && p.id == "" {
			err = fmt.Errorf("one of %s has no id", name)
		}
		*to = append(*to, principal{wording.Lower(p.id), wording.Lower(p.kind)})
		return err
	})
}

// addRoles takes a document of role definitions. An empty list under the ID of a
// role says that the role is gone.
func (f *file) addRoles(doc core.Document) error {
	list, err := parseRoles(doc.Text)
	if err != nil {
		return err
	}
	named := ""
	if !nameless(doc.ID) {
		if named = roleOf(doc.ID); len(list) == 0 {
			list = []role{{ID: named, gone: true}}
		}
	}
	for _, d := range list {
		d.doc = doc
		if named != "" && d.ID != named {
			return fmt.Errorf("it is of another role, %s", wording.Abridge(d.ID, 80))
		}
		if _, twice := f.roles[d.ID]; twice {
			return fmt.Errorf("role %s is defined twice", wording.Abridge(d.ID, 80))
		}
		f.roles[d.ID] = d
	}
	return nil
}
