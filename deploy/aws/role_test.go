package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// right is one thing that a policy says, as far as it can be taken apart.
type right struct{ effect, action, resource, condition string }

// rights takes the policies of the role apart, "not" before what an exception is
// made of.
func rights(t *testing.T, tmpl template, keep func(name string) bool) map[right]bool {
	t.Helper()
	out := map[right]bool{}
	for _, p := range tmpl.of("AWS::IAM::ManagedPolicy") {
		if !keep(p["ManagedPolicyName"].(string)) {
			continue
		}
		for _, s := range p["PolicyDocument"].(map[string]any)["Statement"].([]any) {
			for r := range apart(t, s.(map[string]any)) {
				out[r] = true
			}
		}
	}
	return out
}

func apart(t *testing.T, s map[string]any) map[right]bool {
	t.Helper()
	out := map[right]bool{}
	not := func(name string) []string {
		if all := texts(s["Not"+name]); len(all) > 0 {
			return []string{"not " + strings.Join(slices.Sorted(slices.Values(all)), " ")}
		}
		return texts(s[name])
	}
	for _, a := range not("Action") {
		for _, r := range not("Resource") {
			condition := ""
			if s["Condition"] != nil {
				condition = string(jsonOf(t, s["Condition"]))
			}
			out[right{s["Effect"].(string), a, r, condition}] = true
		}
	}
	if len(out) == 0 {
		t.Errorf("a statement says nothing: %v", s)
	}
	return out
}

// declaredRights is what permissions.json says of a deployment, by a reading of
// its own.
func declaredRights(t *testing.T, d Deployment) map[right]bool {
	t.Helper()
	var file map[string]json.RawMessage
	must(t, readJSON(functionDir+"/permissions.json", &file))
	store := "arn:aws:s3:::acme-byokwatch/prod/"
	sets := map[string][]string{
		"keys": d.Scopes.Keys, "enforced": d.Scopes.Enforced, "enabling": d.Scopes.Enabling, "every-key": {"arn:aws:kms:*:*:key/*"},
		"bucket": {"arn:aws:s3:::acme-byokwatch"}, "records": {store + "records/*"}, "kept": {store + "kept/*"}, "requests": {store + "requests/*"},
		"configuration": nil, "signing-key": d.Scopes.SigningKey, "secrets": d.Scopes.Secrets, "everything": {"*"},
		"log-streams":  {"arn:aws:logs:us-west-2:111122223333:log-group:/byokwatch/function:*"},
		"dead-letters": {"arn:aws:sqs:us-west-2:111122223333:byokwatch-failed"},
	}
	out := map[right]bool{}
	for half, effect := range map[string]string{"reading": "Allow", "restoring": "Allow", "platform": "Allow", "deny": "Deny"} {
		var all []map[string]any
		must(t, json.Unmarshal(file[half], &all))
		for _, r := range all {
			s := map[string]any{"Effect": effect, "Action": r["actions"], "NotAction": r["not_actions"], "Condition": r["condition"]}
			fill := func(names any) (filled []any) {
				for _, n := range texts(names) {
					arns, known := sets[n]
					if !known {
						t.Fatalf("permissions.json: no set %q", n)
					}
					for _, a := range arns {
						filled = append(filled, a)
					}
				}
				return filled
			}
			s["Resource"], s["NotResource"] = fill(r["on"]), fill(r["not_on"])
			switch nothing := len(fill(r["on"]))+len(fill(r["not_on"])) == 0; {
			case nothing && r["not_on"] == nil:
				continue
			case nothing:
				s["Resource"] = []any{"*"}
			}
			maps.Copy(out, apart(t, s))
		}
	}
	return out
}

func boundary(name string) bool { return strings.HasPrefix(name, "byokwatch-boundary-") }
func own(name string) bool      { return !boundary(name) }

func TestTheRoleMayDoExactlyWhatItsListSays(t *testing.T) {
	for name, d := range map[string]Deployment{"observe": observing(t), "enforce": fixture(t)} {
		t.Run(name, func(t *testing.T) {
			got, want := rights(t, synth(t, d, options(t)), own), declaredRights(t, d)
			for r := range got {
				if !want[r] {
					t.Errorf("the role has what is not listed: %+v", r)
				}
			}
			for r := range want {
				if !got[r] {
					t.Errorf("the role lacks %+v", r)
				}
			}
		})
	}
}

// allowed are the actions that a policy allows.
func allowed(all map[right]bool) []string {
	out := map[string]bool{}
	for r := range all {
		if r.effect == "Allow" {
			out[r.action] = true
		}
	}
	return slices.Sorted(maps.Keys(out))
}

func TestObservingDeploysNoRightToWriteAKey(t *testing.T) {
	for name, keep := range map[string]func(string) bool{"the role": own, "its boundary": boundary} {
		observe, enforce := synth(t, observing(t), options(t)), synth(t, fixture(t), options(t))
		for _, a := range []string{"kms:PutKeyPolicy", "kms:EnableKey"} {
			if slices.Contains(allowed(rights(t, observe, keep)), a) {
				t.Errorf("observe: %s allows %s", name, a)
			}
			if !slices.Contains(allowed(rights(t, enforce, keep)), a) {
				t.Errorf("enforce: %s does not allow %s: the test proves nothing", name, a)
			}
		}
		for id := range observe.of("AWS::IAM::ManagedPolicy") {
			if id == "PolicyRestore" || id == "PolicyEnable" {
				t.Errorf("observe has the policy %s", id)
			}
		}
	}
}

// TestTheBoundaryAllowsWhatTheRoleMayDo and no more, but that it takes the keys
// of the account and Region for the listed ones; and it denies the same.
func TestTheBoundaryAllowsWhatTheRoleMayDo(t *testing.T) {
	for name, d := range map[string]Deployment{"observe": observing(t), "enforce": fixture(t)} {
		tmpl := synth(t, d, options(t))
		wide := func(r right) right {
			const here = "arn:aws:kms:us-west-2:111122223333:key/*"
			if slices.Contains(d.Scopes.Keys, r.resource) || strings.HasPrefix(r.resource, "not ") && !strings.Contains(r.resource, d.Scopes.SigningKey[0]) {
				r.resource = strings.Repeat("not ", strings.Count(r.resource, "not ")) + here
			}
			return r
		}
		want := map[right]bool{}
		for r := range rights(t, tmpl, own) {
			want[wide(r)] = true
		}
		if got := rights(t, tmpl, boundary); !maps.Equal(got, want) {
			t.Errorf("%s: the boundary says %v\nof %v", name, got, want)
		}
	}
}

func TestTheRoleHasItsPoliciesAndItsBoundary(t *testing.T) {
	tmpl := synth(t, fixture(t), options(t))
	role := tmpl.Resources["Role"].Properties
	if got := get(role, "RoleName"); got != "byokwatch-us-west-2" {
		t.Errorf("the role is called %v", got)
	}
	if got := get(role, "PermissionsBoundary", "Ref"); got != "Boundary" || get(tmpl.Resources["Boundary"].Properties, "ManagedPolicyName") != "byokwatch-boundary-us-west-2" {
		t.Errorf("the boundary is %v", got)
	}
	var attached []string
	for _, p := range role["ManagedPolicyArns"].([]any) {
		attached = append(attached, get(p, "Ref").(string))
	}
	for id := range tmpl.of("AWS::IAM::ManagedPolicy") {
		if id != "Boundary" && !slices.Contains(attached, id) {
			t.Errorf("%s is not attached", id)
		}
	}
	if role["Policies"] != nil {
		t.Error("the role has rights that permissions.json does not list")
	}
	trust := get(role, "AssumeRolePolicyDocument", "Statement").([]any)
	if len(trust) != 1 || get(trust, 0, "Principal", "Service") != "lambda.amazonaws.com" || len(get(trust, 0, "Principal").(map[string]any)) != 1 {
		t.Errorf("others than Lambda may use the role: %v", trust)
	}
}

// many is the fixture with n keys in one mode.
func many(t *testing.T, n int, enforce bool) Deployment {
	d := observing(t)
	d.Scopes.Keys = nil
	for i := range n {
		d.Scopes.Keys = append(d.Scopes.Keys, fmt.Sprintf("arn:aws:kms:us-west-2:111122223333:key/%08d-12ab-34cd-56ef-1234567890ab", i))
	}
	if enforce {
		d.Mode, d.Scopes.Enforced, d.Scopes.Enabling = "enforce", d.Scopes.Keys, d.Scopes.Keys
	}
	return d
}

func TestPoliciesFitTheLimitsOfIAM(t *testing.T) {
	for name, d := range map[string]Deployment{"60 keys restored and enabled": many(t, 60, true), "300 keys observed": many(t, 300, false)} {
		t.Run(name, func(t *testing.T) {
			tmpl := synth(t, d, options(t))
			policies := tmpl.of("AWS::IAM::ManagedPolicy")
			for id, p := range policies {
				if n := len(jsonOf(t, p["PolicyDocument"])); n > 6144 {
					t.Errorf("%s has %d characters", id, n)
				}
			}
			if n := len(policies) - 1; n > 10 {
				t.Errorf("%d policies for one role", n)
			}
			got := rights(t, tmpl, own)
			for _, key := range d.Scopes.Keys {
				if !got[right{"Allow", "kms:GetKeyPolicy", key, ""}] {
					t.Errorf("%s can't be read", key)
				}
			}
		})
	}
	for name, c := range map[string]struct {
		d    Deployment
		says string
	}{
		"too many keys enforced": {many(t, 90, true), "mode observe"},
		"too many keys":          {many(t, 900, false), "IAM attaches 10"},
	} {
		if _, err := newStack(newApp(t), c.d, options(t), sources(t)); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRightsNobodyNamedAPolicyForAreAnError(t *testing.T) {
	for name, change := range map[string]func(*Permissions){
		"restoring on something new": func(p *Permissions) {
			p.Restoring = append(p.Restoring, Right{ID: "New", Actions: []string{"kms:TagResource"}, On: []string{"keys"}})
		},
		"on an unknown set": func(p *Permissions) {
			p.Reading = append(p.Reading, Right{ID: "New", Actions: []string{"kms:ListGrants"}, On: []string{"grants"}})
		},
	} {
		from := sources(t)
		change(&from.Permissions)
		if _, err := newStack(newApp(t), fixture(t), options(t), from); err == nil || !strings.Contains(err.Error(), "permissions.json") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
