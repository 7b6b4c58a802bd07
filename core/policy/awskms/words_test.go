package awskms

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"byokwatch/core"
	"byokwatch/core/policy/policytest"
)

func said(differences []core.Difference) []string {
	var out []string
	for _, d := range differences {
		line := string(d.Change) + ": " + d.Text
		if d.Principal != "" {
			line += " [" + d.Principal + "]"
		}
		out = append(out, line)
	}
	return out
}

func TestDiffSaysWhatChanges(t *testing.T) {
	base := []string{rootStatement, auditStatement, perimeterDeny}
	changed := func(i int, old, new string) string {
		out := slices.Clone(base)
		out[i] = strings.Replace(out[i], old, new, 1)
		if out[i] == base[i] {
			t.Fatalf("%q is not in %s", old, base[i])
		}
		return policyText(out...)
	}
	for name, x := range map[string]struct {
		to   string
		want []string
	}{
		"nothing":        {policyText(base...), nil},
		"another order":  {policyText(base[2], base[1], base[0]), nil},
		"another layout": {"{\r\n\t\"Statement\":[" + strings.Join(base, ",") + "],\"Version\":\"2012-10-17\"}\n", nil},
		"a list for a word, an ID for an ARN, another case": {changed(0, `{"AWS": "arn:aws:iam::111122223333:root"}, "Action": "kms:*"`, `{"AWS": ["111122223333"]}, "Action": ["KMS:*"]`), nil},
		"a statement in two": {policyText(base[0], strings.Replace(base[1], `, "AIDACKCEVSQ6C2EXAMPLE"`, "", 1), strings.Replace(strings.Replace(base[1], `"arn:aws:iam::111122223333:role/audit", `, "", 1), `"audit"`, `"audit2"`, 1), base[2]),
			[]string{"other: only the wording differs: Id, Version, the names of statements, or how they are divided"}},
		"a principal more": {changed(1, `"AIDACKCEVSQ6C2EXAMPLE"`, `"AIDACKCEVSQ6C2EXAMPLE", "`+stranger+`"`),
			[]string{"admits: allows kms:List* to " + stranger + " where aws:SecureTransport is Bool true [" + stranger + "]"}},
		"a wider action": {changed(1, `"kms:List*"`, `"kms:*"`), []string{
			"admits: allows kms:* to AIDACKCEVSQ6C2EXAMPLE where aws:SecureTransport is Bool true [AIDACKCEVSQ6C2EXAMPLE]",
			"admits: allows kms:* to arn:aws:iam::111122223333:role/audit where aws:SecureTransport is Bool true [arn:aws:iam::111122223333:role/audit]"}},
		"everybody": {changed(0, `"arn:aws:iam::111122223333:root"`, `"*"`), []string{"admits: allows kms:* to everybody [everybody]"}},
		"a condition on the account": {changed(0, `"Resource": "*"`, `"Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "true"}}`),
			[]string{"withdraws: no longer allows kms:* to account 111122223333; still does where aws:SecureTransport is Bool true"}},
		"no condition on the audit": {changed(1, `, "Condition": {"Bool": {"aws:SecureTransport": "true"}}`, ""), []string{
			"admits: allows kms:List* to AIDACKCEVSQ6C2EXAMPLE; before, only where aws:SecureTransport is Bool true [AIDACKCEVSQ6C2EXAMPLE]",
			"admits: allows kms:List* to arn:aws:iam::111122223333:role/audit; before, only where aws:SecureTransport is Bool true [arn:aws:iam::111122223333:role/audit]"}},
		"the perimeter gone": {policyText(base[:2]...), []string{"loses-deny: no longer denies kms:* to everybody where aws:PrincipalOrgID is StringNotEquals o-a1b2c3d4e5"}},
		"the perimeter carved": {changed(2, `{"aws:PrincipalOrgID": "o-a1b2c3d4e5"}`, `{"aws:PrincipalOrgID": "o-a1b2c3d4e5"}, "ArnNotLike": {"aws:PrincipalArn": "`+kafka+`"}`),
			[]string{"loses-deny: no longer denies kms:* to everybody where aws:PrincipalOrgID is StringNotEquals o-a1b2c3d4e5; still does where aws:PrincipalArn is ArnNotLike " + kafka + " and aws:PrincipalOrgID is StringNotEquals o-a1b2c3d4e5"}},
		"a new Deny": {policyText(append(slices.Clone(base), onlyUsDeny)...),
			[]string{`forbids: denies kms:Decrypt to everybody but "111122223333", "AROADBQP57FF2AEXAMPLE"`}},
		"another Version": {strings.Replace(policyText(base...), "2012-10-17", "2008-10-17", 1),
			[]string{"other: only the wording differs: Id, Version, the names of statements, or how they are divided"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := said(Diff(key(policyText(base...)), key(x.to))); !slices.Equal(got, x.want) {
				t.Errorf("got  %s\nwant %s", strings.Join(got, "\n     "), strings.Join(x.want, "\n     "))
			}
		})
	}
}

func TestDiffOverStatesAndWhatCannotBeRead(t *testing.T) {
	from := key(policyText(rootStatement))
	if got := said(Diff(from, core.Policy{from[0], metadataOf("Disabled")})); !slices.Equal(got, []string{"other: the key was Enabled (SYMMETRIC_DEFAULT, ENCRYPT_DECRYPT) and is Disabled (SYMMETRIC_DEFAULT, ENCRYPT_DECRYPT)"}) {
		t.Errorf("%q", got)
	}
	if got := said(Diff(from, key("{"))); len(got) != 1 || !strings.HasPrefix(got[0], "other: what is there now can't be compared: ") {
		t.Errorf("%q", got)
	}
}

func TestRecognise(t *testing.T) {
	text := policyText(rootStatement)
	quoted, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	meta := metadataOf("Enabled").Text
	docs, err := json.Marshal(key(text))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := json.Marshal(core.Document{Kind: core.KeyPolicy, ID: theKey, Text: text})
	if err != nil {
		t.Fatal(err)
	}
	for name, x := range map[string]struct {
		file string
		kind core.Kind
		id   string
		text string
		all  int
	}{
		"a policy as text":                  {text + "\n", core.KeyPolicy, "", text, 1},
		"a policy with a byte order mark":   {"\ufeff" + text + "\r\n", core.KeyPolicy, "", text, 1},
		"a policy with Windows line ends":   {strings.ReplaceAll(text, ", ", ",\r\n"), core.KeyPolicy, "", strings.ReplaceAll(text, ", ", ",\r\n"), 1},
		"what get-key-policy answers":       {`{"Policy": ` + string(quoted) + `, "PolicyName": "default"}`, core.KeyPolicy, "", text, 1},
		"what it answered in former times":  {`{"Policy": ` + string(quoted) + `}`, core.KeyPolicy, "", text, 1},
		"what describe-key answers":         {meta, core.KeyMetadata, theKey, meta, 1},
		"a snapshot":                        {`{"key": "x", "generation": 3, "policy": ` + string(docs) + `, "sum": "ab"}`, core.KeyPolicy, theKey, text, 2},
		"the documents of a snapshot":       {string(docs), core.KeyPolicy, theKey, text, 2},
		"one document of a snapshot":        {string(doc), core.KeyPolicy, theKey, text, 1},
		"a document that could not be read": {`[{"kind": "aws.key-policy", "id": "x", "unreadable": "denied"}]`, core.KeyPolicy, "x", "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Recognise([]byte(x.file))
			if err != nil {
				t.Fatal(err)
			}
			if got.Kind != x.kind || got.ID != x.id || got.Text != x.text {
				t.Errorf("%+v", got)
			}
			if all, err := RecogniseAll([]byte(x.file)); err != nil || len(all) != x.all {
				t.Errorf("%d documents, %v", len(all), err)
			}
		})
	}
}

func TestRecogniseRefuses(t *testing.T) {
	for name, file := range map[string]string{
		"nothing":                               "",
		"space":                                 " \n",
		"no JSON":                               "Version: 2012-10-17",
		"a string":                              `"x"`,
		"an object of nothing that we know":     `{"Grants": []}`,
		"a policy that is none":                 `{"Statement": [{"Effect": "allow"}]}`,
		"a policy within quotes":                `{"Policy": "none"}`,
		"another policy name":                   `{"Policy": "{\"Statement\": []}", "PolicyName": "mine"}`,
		"metadata without a state":              `{"KeyMetadata": {}}`,
		"Policy twice":                          `{"Policy": "{\"Statement\": []}", "Policy": "{\"Statement\": []}"}`,
		"a snapshot of another cloud":           `{"policy": [{"kind": "gcp.policy", "id": "x", "text": "{}"}]}`,
		"a snapshot with a policy that is none": `{"policy": [{"kind": "aws.key-policy", "id": "x", "text": "{}"}]}`,
		"a snapshot of nothing":                 `{"policy": []}`,
		"two policies in one file":              policyText(rootStatement) + policyText(rootStatement),
	} {
		t.Run(name, func(t *testing.T) {
			if doc, err := Recognise([]byte(file)); err == nil {
				t.Errorf("took it for %+v", doc)
			}
		})
	}
}

func FuzzRecognise(f *testing.F) {
	f.Add([]byte(policyText(rootStatement, perimeterDeny)))
	f.Add([]byte(metadataOf("Enabled").Text))
	f.Add([]byte(`{"Policy": "{}"}`))
	f.Fuzz(func(t *testing.T, file []byte) {
		doc, err := Recognise(file)
		if err == nil && doc.Kind == core.KeyPolicy && doc.Unreadable == "" {
			if _, err := parse(doc.Text); err != nil {
				t.Errorf("recognised as a policy, which it is not: %v", err)
			}
		}
	})
}

func missingOf(p core.Policy, q core.Question) []core.Requirement {
	var out []core.Requirement
	for _, f := range Judge(p, q).Findings {
		if f.Result == core.Missing && f.Severity == core.Critical {
			out = append(out, f.Requirement)
		}
	}
	return out
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	policytest.Golden(t, *update, name, got)
}

func TestFragments(t *testing.T) {
	for name, text := range map[string]string{
		"fragment-all":      policyText(rootStatement),
		"fragment-star":     policyText(rootStatement, strings.Replace(useStatement, "GenerateDataKey*", "GenerateDataKey", 1), attachStatement),
		"fragment-unequal":  policyText(rootStatement, strings.Replace(useStatement, `"`+kafka+`", `, "", 1), strings.Replace(useStatement, `"kms:Encrypt", `, "", 1), attachStatement),
		"fragment-one-role": policyText(rootStatement, strings.Replace(useStatement, `, "`+storage+`"`, "", 1), strings.Replace(attachStatement, `, "`+storage+`"`, "", 1)),
	} {
		t.Run(name, func(t *testing.T) {
			q := asks()
			got := Fragment(q, missingOf(key(text), q))
			golden(t, name, got)
			// A person who adds it has mended the policy.
			p, err := parse(text)
			if err != nil {
				t.Fatal(err)
			}
			added, err := parse(`{"Version": "2012-10-17", "Statement": ` + got + `}`)
			if err != nil {
				t.Fatalf("not a list of statements: %v", err)
			}
			d := draftOf(p)
			d.statements = append(d.statements, added.Statements...)
			mended, err := d.text()
			if err != nil {
				t.Fatal(err)
			}
			if still := missingOf(key(mended), q); len(still) > 0 {
				t.Errorf("still missing: %v", still)
			}
		})
	}
	q := asks(func(k *core.Key) { k.Needs.Roles = []string{"arn:aws:iam::111122223333:role/x\"; rm -rf /"} })
	if got := Fragment(q, missingOf(key(policyText(rootStatement)), q)); got != "" {
		t.Errorf("a role that is none gets into the fragment: %s", got)
	}
}

func TestUnlocking(t *testing.T) {
	for name, x := range map[string]struct {
		text, state string
		q           core.Question
	}{
		"unlock-rights":   {policyText(strings.Replace(rootStatement, "kms:*", "kms:Describe*", 1), useStatement, attachStatement), "Enabled", asks()},
		"unlock-nobody":   {policyText(useStatement, attachStatement), "Enabled", func() core.Question { q := asks(); q.Self = "arn:aws:iam::111122223333:role/$(x)"; return q }()},
		"unlock-disabled": {snapshotText(), "Disabled", asks()},
		"unlock-deleted":  {snapshotText(), "PendingDeletion", asks()},
		"unlock-import":   {snapshotText(), "PendingImport", asks()},
		"unlock-all":      {policyText(strings.Replace(rootStatement, "kms:*", "kms:Describe*", 1)), "Disabled", asks()},
	} {
		t.Run(name, func(t *testing.T) {
			live := core.Policy{{Kind: core.KeyPolicy, ID: theKey, Text: x.text}, metadataOf(x.state)}
			missing := missingOf(live, x.q)
			if name == "unlock-nobody" {
				missing = append(missing, core.Requirement{Aspect: core.Own, Permission: putKeyPolicy})
			}
			lines := Unlock(live, x.q, missing)
			golden(t, name, strings.Join(lines, "\n")+"\n")
			for _, l := range lines {
				if strings.Contains(l, "\n") || !strings.HasPrefix(l, "#") && !strings.HasPrefix(l, "aws kms ") || strings.Contains(l, "$(") {
					t.Errorf("not a line for a shell: %q", l)
				}
			}
		})
	}
	bad := asks(func(k *core.Key) { k.ID = "arn:aws:kms:us-west-2:111122223333:key/1;reboot" })
	if lines := Unlock(key(snapshotText()), bad, missingOf(key(snapshotText()), bad)); lines != nil {
		t.Errorf("commands for what is no key: %q", lines)
	}
}

func TestTrimKeepsAllAndSharesNothing(t *testing.T) {
	p := key(snapshotText())
	kept := Trim(p, asks())
	if fmt.Sprint(kept) != fmt.Sprint(p) {
		t.Errorf("%v", kept)
	}
	kept[0].Text = ""
	if p[0].Text == "" {
		t.Error("the copy is the original")
	}
}
