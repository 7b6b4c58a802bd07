package gcpkms

import (
	"fmt"
	"strings"

	"byokwatch/core/rawjson"
)

// condition is a field that holds a condition.
func condition(r rawjson.Reader, name string, to **clause) rawjson.Field {
	return r.OrNull(rawjson.Field{Name: name, Read: func() error {
		c := &clause{}
		_, _, err := r.Object(name, r.Word("expression", &c.Expression), r.Word("title", &c.Title), r.Word("description", &c.Description))
		*to = c
		return err
	}})
}

// parsePolicy reads the bindings of an IAM policy. One read in an old form,
// which leaves out conditions and marks the roles, is an error: what it shows is
// not what is in force.
//
// Sources: https://cloud.google.com/iam/docs/reference/rest/v1/Policy,
// https://cloud.google.com/iam/docs/troubleshoot-withcond
func parsePolicy(text string) ([]binding, error) {
	r, err := rawjson.NewReader(text)
	if err != nil {
		return nil, err
	}
	var out []binding
	_, _, err = r.Object("the policy", rawjson.Field{Name: "bindings", Read: func() error {
		return r.List("bindings", func(i int) error {
			b := binding{index: i}
			var err error
			b.start, b.end, err = r.Object(fmt.Sprintf("binding %d", i), r.Word("role", &b.Role), r.Words("members", &b.Members), condition(r, "condition", &b.Condition))
			switch {
			case err != nil:
				return err
			case b.Role == "":
				return fmt.Errorf("binding %d names no role", i)
			case strings.Contains(b.Role, "_withcond_"):
				return fmt.Errorf("binding %d: its role stands for one with a condition that was not read; read the policy in version 3", i)
			case b.Condition != nil && b.Condition.Expression == "":
				return fmt.Errorf("binding %d has a condition without expression", i)
			}
			out = append(out, b)
			return nil
		})
	}})
	return out, err
}

// parseRole reads a role. A role without permissions is printed without the
// list of them.
func parseRole(text string) (definition, error) {
	r, err := rawjson.NewReader(text)
	if err != nil {
		return definition{}, err
	}
	d := definition{span: len(text)}
	_, _, err = r.Object("the role", r.Word("name", &d.Name), r.Word("stage", &d.Stage), r.Flag("deleted", &d.Deleted), r.Words("includedPermissions", &d.Permissions))
	return d, err
}

// parseDenies reads the rules of a list of deny policies. The API lists
// policies without their rules; such a policy is kept as one rule of which
// nothing is known.
//
// Source: https://cloud.google.com/iam/docs/reference/rest/v2/policies/listPolicies
func parseDenies(text string) ([]prohibition, error) {
	r, err := rawjson.NewReader(text)
	if err != nil {
		return nil, err
	}
	var out []prohibition
	err = r.List("the list of deny policies", func(i int) error {
		name, told, first := "", false, len(out)
		start, end, err := r.Object(fmt.Sprintf("deny policy %d", i), r.Word("name", &name), rawjson.Field{Name: "rules", Read: func() error {
			told = true
			return r.List("rules", func(int) error {
				rule, err := rule(r, len(out))
				out = append(out, rule)
				return err
			})
		}})
		if !told {
			out = append(out, prohibition{unread: true, index: len(out), start: start, end: end})
		}
		for j := range out[first:] {
			out[first+j].Policy = name[strings.LastIndexByte(name, '/')+1:]
		}
		return err
	})
	return out, err
}

func rule(r rawjson.Reader, index int) (prohibition, error) {
	p := prohibition{index: index, unread: true}
	var err error
	p.start, p.end, err = r.Object(fmt.Sprintf("deny rule %d", index), rawjson.Field{Name: "denyRule", Read: func() error {
		p.unread = false
		_, _, err := r.Object("denyRule",
			r.Words("deniedPrincipals", &p.DeniedPrincipals), r.Words("exceptionPrincipals", &p.ExceptionPrincipals),
			r.Words("deniedPermissions", &p.DeniedPermissions), r.Words("exceptionPermissions", &p.ExceptionPermissions),
			condition(r, "denialCondition", &p.Condition))
		return err
	}})
	return p, err
}
