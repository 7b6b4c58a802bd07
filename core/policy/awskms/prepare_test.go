package awskms

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"byokwatch/core"
)

// noAccount is a policy that leaves nothing to IAM: only what it names counts.
func noAccount() string { return policyText(adminStatement, useStatement, attachStatement) }

const adminStatement = `{"Sid": "Admins", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:role/admin"}, "Action": "kms:*", "Resource": "*"}`

// ownResults are the watchdog's rights, by name, as judged.
func ownResults(p core.Policy, q core.Question) map[string]core.Result {
	q.Needs = nil
	for _, right := range []string{getKeyPolicy, describeKey, putKeyPolicy, enableKey} {
		q.Needs = append(q.Needs, core.Requirement{Aspect: core.Own, Permission: right, Severity: core.Critical})
	}
	out := map[string]core.Result{}
	for _, f := range Judge(p, q).Findings {
		out[f.Permission] = f.Result
	}
	return out
}

func TestPrepareGivesWhatTheModeAsksForAndNoMore(t *testing.T) {
	for name, x := range map[string]struct {
		change func(*core.Key)
		want   []string
	}{
		"observe":            {func(k *core.Key) { k.Mode, k.KeyState = core.Observe, core.CareRestore }, []string{getKeyPolicy, describeKey}},
		"enforce":            {func(*core.Key) {}, []string{getKeyPolicy, describeKey, putKeyPolicy}},
		"enforce and enable": {func(k *core.Key) { k.KeyState = core.CareRestore }, []string{getKeyPolicy, describeKey, putKeyPolicy, enableKey}},
	} {
		t.Run(name, func(t *testing.T) {
			q, live := asks(x.change), key(noAccount())
			for right, r := range ownResults(live, q) {
				if r != core.Missing {
					t.Fatalf("before, %s is %s", right, r)
				}
			}
			c, err := Prepare(live, q)
			if err != nil || len(c.Left) > 0 {
				t.Fatalf("%v, left %q", err, c.Left)
			}
			for right, r := range ownResults(c.Result, q) {
				if (r == core.Met) != slices.Contains(x.want, right) {
					t.Errorf("%s is %s", right, r)
				}
			}
			was, is := verdicts(t, live, q), verdicts(t, c.Result, q)
			for what := range was {
				if was[what] != is[what] && !strings.HasPrefix(what, watcher) {
					t.Errorf("%s was %s and is %s", what, was[what], is[what])
				}
			}
			for _, d := range Diff(live, c.Result) {
				if d.Principal != watcher {
					t.Errorf("changes something else: %+v", d)
				}
			}
			if len(x.want) > 2 && !strings.Contains(textOf(t, c.Result), `"kms:BypassPolicyLockoutSafetyCheck": "false"`) {
				t.Error("may write without KMS's check")
			}
			if _, err := Prepare(c.Result, q); !errors.Is(err, ErrPrepared) {
				t.Errorf("again: %v", err)
			}
			back, err := Unprepare(c.Result, q)
			if err != nil || len(Diff(live, back.Result)) > 0 || strings.Contains(textOf(t, back.Result), watcher) {
				t.Errorf("%v, not as before: %v", err, Diff(live, back.Result))
			}
			if _, err := Unprepare(back.Result, q); !errors.Is(err, ErrNotPrepared) {
				t.Errorf("again: %v", err)
			}
		})
	}
}

// A key that goes back to mode observe loses what it gave for enforce.
func TestPrepareReplacesWhatItGaveBefore(t *testing.T) {
	enforce, err := Prepare(key(noAccount()), asks())
	if err != nil {
		t.Fatal(err)
	}
	q := asks(func(k *core.Key) { k.Mode = core.Observe })
	observe, err := Prepare(enforce.Result, q)
	if err != nil {
		t.Fatal(err)
	}
	if r := ownResults(observe.Result, q)[putKeyPolicy]; r != core.Missing {
		t.Errorf("%s is %s", putKeyPolicy, r)
	}
}

func TestPrepareSaysWhatStillStandsInTheWay(t *testing.T) {
	deny := `{"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "kms:PutKeyPolicy", "Resource": "*", "Condition": {"ArnNotEquals": {"aws:PrincipalArn": "arn:aws:iam::111122223333:role/admin"}}}`
	c, err := Prepare(key(policyText(adminStatement, deny)), asks())
	if err != nil || len(c.Left) != 1 || !strings.HasPrefix(c.Left[0], putKeyPolicy+" is still not sure") {
		t.Errorf("%v, left %q", err, c.Left)
	}
}

// What is left of a deleted role keeps KMS from taking the policy.
func TestPrepareLeavesOutWhatIsLeftOfADeletedRole(t *testing.T) {
	dead := `{"Sid": "Byokwatch", "Effect": "Allow", "Principal": {"AWS": "AROAEXAMPLEEXAMPLE123"}, "Action": "kms:GetKeyPolicy", "Resource": "*"}`
	c, err := Prepare(key(policyText(adminStatement, dead)), asks())
	if err != nil || strings.Contains(textOf(t, c.Result), "AROA") || len(c.Left) != 1 {
		t.Errorf("%v, left %q in %s", err, c.Left, textOf(t, c.Result))
	}
}

func TestUnprepareTakesTheRoleFromOthersToo(t *testing.T) {
	shared := strings.Replace(adminStatement, `"arn:aws:iam::111122223333:role/admin"`, `["arn:aws:iam::111122223333:role/admin", "`+watcher+`"]`, 1)
	spared := `{"Effect": "Deny", "NotPrincipal": {"AWS": ["arn:aws:iam::111122223333:root", "` + watcher + `"]}, "Action": "kms:PutKeyPolicy", "Resource": "*"}`
	c, err := Unprepare(key(policyText(shared, spared)), asks())
	if err != nil {
		t.Fatal(err)
	}
	if text := textOf(t, c.Result); strings.Count(text, watcher) != 1 || !strings.Contains(text, "role/admin") {
		t.Errorf("%s", text)
	}
	if len(c.Left) != 1 || !strings.Contains(c.Left[0], "Statement 1 names the role") {
		t.Errorf("left %q", c.Left)
	}
}

func TestNoOtherRoleIsPrepared(t *testing.T) {
	for name, self := range map[string]string{
		"no ARN": "byokwatch", "another account": stranger, "a user": "arn:aws:iam::111122223333:user/jane",
		"another partition": strings.Replace(watcher, "arn:aws:", "arn:aws-cn:", 1), "an account": "arn:aws:iam::111122223333:root",
	} {
		q := asks()
		q.Self = self
		if _, err := Prepare(key(noAccount()), q); err == nil {
			t.Errorf("%s: prepared", name)
		}
	}
}
