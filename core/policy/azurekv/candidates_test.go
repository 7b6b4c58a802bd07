package azurekv

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"byokwatch/core"
	"byokwatch/core/confluent"
)

func TestACandidateMustImproveAndTakeNothing(t *testing.T) {
	need := func(permission string) core.Requirement {
		return core.Requirement{Aspect: core.Access, Permission: permission}
	}
	a, b := need("a"), need("b")
	of := func(writable core.Result, results ...core.Result) core.Judgement {
		return core.Judgement{Writable: writable, Findings: []core.Finding{{Requirement: a, Result: results[0]}, {Requirement: b, Result: results[1]}}}
	}
	const met, missing, unclear = core.Met, core.Missing, core.Undetermined
	for name, x := range map[string]struct {
		now, then core.Judgement
		had       core.Result
		gained    int
	}{
		"what was lost is met":                      {of(met, missing, missing), of(met, met, missing), met, 1},
		"what was lost is in doubt as it was":       {of(met, missing, missing), of(met, unclear, missing), unclear, 1},
		"what was lost is in doubt as it never was": {of(met, missing, missing), of(met, unclear, missing), met, 0},
		"only what was not lost is met":             {of(met, missing, missing), of(met, missing, met), met, 0},
		"something else gets worse":                 {of(met, missing, met), of(met, met, unclear), met, 0},
		"something else gets worse still":           {of(met, missing, unclear), of(met, met, missing), met, 0},
		"nothing changes":                           {of(met, met, met), of(met, met, met), met, 0},
		"we could not write any more":               {of(met, missing, met), of(missing, met, met), met, 0},
		"nobody knows whether we could write":       {of(met, missing, met), of(unclear, met, met), met, 0},
		"we may write, which nobody knew before":    {of(unclear, missing, met), of(met, met, met), met, 1},
		"nobody could use the key":                  {of(met, missing, met), core.Judgement{Disabled: true, Writable: met, Findings: of(met, met, met).Findings}, met, 0},
	} {
		t.Run(name, func(t *testing.T) {
			restore := bench{now: x.now, lost: []core.Requirement{a}, was: map[core.Requirement]core.Finding{a: {Requirement: a, Result: x.had}}}
			gained, ok := restore.improves(x.then)
			if gained != x.gained || ok != (x.gained > 0) {
				t.Errorf("%d, %t", gained, ok)
			}
		})
	}
}

func TestWhatCandidatesCannotRead(t *testing.T) {
	good, live := rig(), rig(rigGiven())
	lost := rigLost(live, good, rigAsked(rigAsks(), live, good))
	vaultless := slices.DeleteFunc(rig(), func(d core.Document) bool { return d.Kind == core.Vault })
	for name, x := range map[string]struct {
		live, good core.Policy
		q          core.Question
		says       string
	}{
		"live does not parse":                {withText(live, core.VaultKey, rigKey, "{"), good, rigAsks(), "live policy"},
		"live can't be read":                 {live.With(core.Document{Kind: core.Vault, ID: rigVault, Unreadable: "access denied"}), good, rigAsks(), "access denied"},
		"what Confluent has can't be read":   {live.With(core.Document{Kind: core.RoleAssignments, ID: rigConfluents, Unreadable: "access denied"}), good, rigAsks(), "can't be read"},
		"there is no live policy":            {nil, good, rigAsks(), "missing"},
		"there is no snapshot":               {live, nil, rigAsks(), "snapshot"},
		"the snapshot has no vault":          {live, vaultless, rigAsks(), "snapshot"},
		"the snapshot is truncated":          {live, withText(good, core.RoleAssignments, rigConfluents, `[{"x"`), rigAsks(), "snapshot"},
		"the snapshot is of another":         {live, slices.DeleteFunc(rig(), func(d core.Document) bool { return d.ID == rigConfluents }), rigAsks(), "snapshot"},
		"the key has no proper ID":           {live, good, rigAsks(func(k *core.Key) { k.ID = "payments; rm -rf /" }), "not the ID"},
		"the key is in another vault":        {live, good, rigAsks(func(k *core.Key) { k.Vault += "2" }), "not in the vault"},
		"the principal has no proper ID":     {live, good, rigAsks(func(k *core.Key) { k.Needs.Principal = "confluent" }), "not the object ID"},
		"the principal is an application's":  {live, good, rigAsks(func(k *core.Key) { k.Needs.Principal = strings.ToUpper(rigPrincipal) }), "not the object ID"},
		"live miscases what decides":         {withText(live, core.Vault, rigVault, strings.Replace(rigVaultText(), "accessPolicies", "AccessPolicies", 1)), good, rigAsks(), "live policy"},
		"the snapshot miscases what decides": {live, withText(good, core.Vault, rigVault, strings.Replace(rigVaultText(), "tenantId", "TenantId", 1)), rigAsks(), "snapshot"},
	} {
		t.Run(name, func(t *testing.T) {
			candidates, err := Candidates(x.live, x.good, rigAsked(x.q, live, good), lost)
			if err == nil || len(candidates) > 0 || !strings.Contains(err.Error(), x.says) {
				t.Errorf("%v, %v", candidates, err)
			}
		})
	}
}

// TestOnlyAssignmentsWait: Terraform replaces an assignment by deleting it and
// creating another; nothing else is replaced so.
func TestOnlyAssignmentsWait(t *testing.T) {
	live, good, q := guardCase()
	all, err := Candidates(live, good, q, rigLost(live, good, q))
	if err != nil || len(all) < 5 {
		t.Fatalf("%d candidates, %v", len(all), err)
	}
	names := map[string]bool{}
	for _, c := range all {
		assigns := slices.ContainsFunc(c.Steps, func(s core.Step) bool { return s.Op == opAssign })
		if want := map[bool]time.Duration{true: time.Minute}[assigns]; c.After != want {
			t.Errorf("%s waits %s", c.Name, c.After)
		}
		if names[c.Name] {
			t.Errorf("two are called %q: the second would never be tried", c.Name)
		}
		names[c.Name] = true
	}
	live, good, q = policyCase()
	if c := bestRestore(t, live, good, q); c.After != 0 {
		t.Errorf("an access policy waits %s", c.After)
	}
}

// TestARefusedPartDoesNotKeepTheRest goes down the list as the watchdog does,
// with each part refused in turn: what is left comes back.
func TestARefusedPartDoesNotKeepTheRest(t *testing.T) {
	const access, network, versions = "access", "network", "versions"
	for _, refused := range [][]string{{network}, {versions}, {access}, {network, versions}, {access, versions}, {access, network}} {
		t.Run(strings.Join(refused, " and ")+" refused", func(t *testing.T) {
			live, good, q := guardCase()
			all, err := Candidates(live, good, q, rigLost(live, good, q))
			if err != nil {
				t.Fatal(err)
			}
			part := map[string]string{opAssign: access, opVault: network, opKey: versions}
			fits := func(c core.Candidate) bool {
				return !slices.ContainsFunc(c.Steps, func(s core.Step) bool { return slices.Contains(refused, part[s.Op]) })
			}
			i := slices.IndexFunc(all, fits)
			if i < 0 {
				t.Fatal("nothing is left to try")
			}
			for p := range map[string]bool{access: true, network: true, versions: true} {
				has := slices.ContainsFunc(all[i].Steps, func(s core.Step) bool { return part[s.Op] == p })
				if has == slices.Contains(refused, p) {
					t.Errorf("%s is in %q: %t", p, all[i].Name, has)
				}
			}
		})
	}
}

// TestARefusedRoleDoesNotKeepTheOther does the same for the two roles.
func TestARefusedRoleDoesNotKeepTheOther(t *testing.T) {
	live, good := rig(rigGiven()), rig()
	q := rigAsked(rigAsks(), live, good)
	good = Trim(good, q)
	all, err := Candidates(live, good, q, rigLost(live, good, q))
	if err != nil {
		t.Fatal(err)
	}
	for _, role := range confluent.AzureRoles() {
		if !slices.ContainsFunc(all, func(c core.Candidate) bool {
			return len(c.Steps) == 1 && strings.Contains(string(c.Steps[0].Body), role.ID)
		}) {
			t.Errorf("nothing assigns %s alone", role.Name)
		}
	}
}

// TestANameThatIsTakenDoesNotKeepTheAssignment: the name of an assignment is its
// own in all of Azure, and somebody may have given that of the snapshot to another.
func TestANameThatIsTakenDoesNotKeepTheAssignment(t *testing.T) {
	live, good, q := guardCase()
	all, err := Candidates(live, good, q, rigLost(live, good, q))
	if err != nil {
		t.Fatal(err)
	}
	taken := lastSegment(all[0].Steps[0].ID)
	i := slices.IndexFunc(all, func(c core.Candidate) bool {
		return slices.ContainsFunc(c.Steps, func(s core.Step) bool { return s.Op == opAssign }) &&
			!slices.ContainsFunc(c.Steps, func(s core.Step) bool {
				return strings.Contains(s.ID, taken) || strings.Contains(string(s.Body), rigReader) && len(c.Steps) == 1
			})
	})
	if i < 0 || !strings.HasSuffix(all[i].Name, "under new names") || len(all[i].Steps) != len(all[0].Steps) || all[i].After != time.Minute {
		t.Fatalf("candidate %d of %d", i, len(all))
	}
	if err := Guard(live, good, all[i], q, false); err != nil {
		t.Error(err)
	}
	if a, b := Judge(all[0].Result, q).Digest, Judge(all[i].Result, q).Digest; a != b {
		t.Error("a name is in the digest")
	}
	// Where the snapshot's name is the derived one, there is no other.
	derived := strings.ReplaceAll(rigAssign(rigCrypto, rigVault), taken, derivedName(rigVault, rigPrincipal, rigCrypto))
	good = Trim(rig(rigGiven(derived)), q)
	live = rig(rigGiven())
	q = rigAsked(rigAsks(), live, good)
	if all, err = Candidates(live, good, q, rigLost(live, good, q)); err != nil || len(all) != 1 {
		t.Errorf("%d candidates, %v", len(all), err)
	}
}

// TestNothingIsPlannedForWhatIsWhole: no loss, no candidate, whatever differs.
func TestNothingIsPlannedForWhatIsWhole(t *testing.T) {
	live := rig(rigVaultDoc("networkAcls", `{"bypass": "AzureServices", "defaultAction": "Deny"}`))
	q := rigAsked(rigAsks(rigNetwork, rigKeyState), live, rig())
	if c, err := Candidates(live, Trim(rig(), q), q, nil); len(c) > 0 || err != nil {
		t.Errorf("%v, %v", c, err)
	}
}

// BenchmarkRestore plans and guards the restore of a key in a vault of the
// largest size that Azure takes.
//
// Source: https://learn.microsoft.com/azure/key-vault/general/assign-access-policy
func BenchmarkRestore(b *testing.B) {
	var entries []string
	for i := range 1023 {
		entries = append(entries, rigEntry(fmt.Sprintf("%08d-7777-4777-8777-777777777777", i), "get", "list"))
	}
	policies := rigList(entries...)
	roles, whole := rig(rigGiven(), rigVaultDoc("accessPolicies", policies)), rig(rigVaultDoc("accessPolicies", policies))
	for name, x := range map[string]struct{ live, good core.Policy }{
		"rbac":     {roles, whole},
		"policies": {rig(rigPolicies(entries...)), rig(rigPolicies(append(slices.Clone(entries), rigEntry(rigPrincipal, "get", "list", "unwrapKey", "wrapKey"))...))},
	} {
		b.Run(name, func(b *testing.B) {
			q := rigAsked(rigAsks(), x.live, x.good)
			good := Trim(x.good, q)
			lost := rigLost(x.live, good, q)
			for b.Loop() {
				candidates, err := Candidates(x.live, good, q, lost)
				if err != nil || len(candidates) == 0 {
					b.Fatal(err)
				}
				if err := Guard(x.live, good, candidates[0], q, false); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
