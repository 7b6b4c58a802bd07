package gcpkms

import (
	"slices"
	"testing"

	"byokwatch/core"
)

func permissionsOf(needs []core.Requirement, aspect core.Aspect) []string {
	var out []string
	for _, n := range needs {
		if n.Aspect == aspect {
			out = append(out, n.Permission)
		}
	}
	return out
}

func versionsDocument(states ...string) core.Document {
	text := "["
	for i, s := range states {
		if i > 0 {
			text += ","
		}
		text += `{"name":"` + fuzzKey + `/cryptoKeyVersions/` + string(rune('1'+i)) + `","state":"` + s + `"}`
	}
	return core.Document{Kind: core.CryptoKeyVersions, ID: fuzzKey, Text: text + "]"}
}

func TestWhatIsNeededOfVersionsIsWhatTheSnapshotHad(t *testing.T) {
	key := core.Document{Kind: core.CryptoKey, ID: fuzzKey, Text: `{"name":"` + fuzzKey + `"}`}
	unreadable := core.Document{Kind: core.CryptoKeyVersions, ID: fuzzKey, Unreadable: "denied"}
	for name, c := range map[string]struct {
		live, good core.Policy
		want       []string
	}{
		"disabled since":             {core.Policy{key, versionsDocument("DISABLED", "ENABLED", "ENABLED")}, core.Policy{versionsDocument("ENABLED", "ENABLED")}, []string{"version:1:ENABLED", "version:2:ENABLED", primaryEnabled}},
		"no snapshot":                {core.Policy{key, versionsDocument("DISABLED", "ENABLED")}, nil, []string{"version:2:ENABLED", primaryEnabled}},
		"a snapshot without a list":  {core.Policy{key, versionsDocument("DISABLED", "ENABLED")}, core.Policy{key}, []string{"version:2:ENABLED", primaryEnabled}},
		"a snapshot of none enabled": {core.Policy{key, versionsDocument("ENABLED")}, core.Policy{versionsDocument("DISABLED")}, []string{primaryEnabled}},
		"live not readable":          {core.Policy{key, unreadable}, core.Policy{versionsDocument("ENABLED")}, []string{"version:1:ENABLED", primaryEnabled}},
		"a file of bindings alone":   {core.Policy{{Kind: core.IAMPolicy}}, core.Policy{versionsDocument("ENABLED")}, nil},
		"a file of versions alone":   {core.Policy{versionsDocument("ENABLED")}, nil, []string{"version:1:ENABLED"}},
	} {
		t.Run(name, func(t *testing.T) {
			needs := Needs(core.Key{ID: fuzzKey, Needs: core.Confluent{Group: fuzzGroup}}, c.live, c.good)
			if got := permissionsOf(needs, core.Property); !slices.Equal(got, c.want) {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestTheWatchdogNeedsWhatItsModeNeeds(t *testing.T) {
	p := core.Policy{{Kind: core.CryptoKey, ID: fuzzKey, Text: `{}`}}
	reading := []string{rightGet, rightGetPolicy, rightList}
	for name, c := range map[string]struct {
		key  core.Key
		want []string
	}{
		"unset":               {core.Key{}, reading},
		"observe":             {core.Key{Mode: core.Observe, KeyState: core.CareRestore}, reading},
		"enforce":             {core.Key{Mode: core.Enforce}, append(slices.Clone(reading), rightSetPolicy)},
		"enforce, with state": {core.Key{Mode: core.Enforce, KeyState: core.CareRestore}, append(slices.Clone(reading), rightSetPolicy, rightUpdate)},
	} {
		if got := permissionsOf(Needs(c.key, p, nil), core.Own); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
