package azurekv

import (
	"strings"
	"testing"
	"time"

	"byokwatch/core"
	"byokwatch/core/policy/truth"
)

// Source: https://learn.microsoft.com/azure/role-based-access-control/conditions-format
func TestOperatorsCompareAsTheirNamesSay(t *testing.T) {
	for text, want := range map[string]truth.Truth{
		"1 NumericEquals 1":            truth.Yes,
		"1 NumericNotEquals 1":         truth.No,
		"2 NumericGreaterThan 1":       truth.Yes,
		"1 NumericGreaterThan 1":       truth.No,
		"1 NumericGreaterThanEquals 1": truth.Yes,
		"-1 NumericLessThan 1":         truth.Yes,
		"1 NumericLessThanEquals 1":    truth.Yes,
		"2 NumericLessThanEquals 1":    truth.No,
		"1.5 NumericEquals 1.5":        truth.Unknown,
		"1 NumericNotGreaterThan 1":    truth.Unknown,
		"'2026-01-01T00:00:00Z' DateTimeEquals '2026-01-01T00:00:00.000Z'":             truth.Yes,
		"'2026-01-01T00:00:00Z' DateTimeNotEquals '2026-01-01T00:00:00Z'":              truth.No,
		"'2026-01-01T00:00:00Z' DateTimeGreaterThanEquals '2026-01-01T01:00:00+01:00'": truth.Yes,
		"'2026-01-01T00:00:00Z' DateTimeGreaterThan '2026-01-01T00:00:00Z'":            truth.No,
		"'2026-01-01T00:00:00Z' DateTimeLessThan '2026-01-01T00:00:00.0000001Z'":       truth.Yes,
		"'now' DateTimeEquals 'now'":                                                   truth.Unknown,
		"true BoolEquals TRUE":                                                         truth.Yes,
		"true BoolEquals 1":                                                            truth.Unknown,
		"'a' StringEquals 'a'":                                                         truth.Yes,
		"a StringEquals a":                                                             truth.Unknown,
		"'ab' StringLike 'a*'":                                                         truth.Yes,
		"'ab' StringNotLike 'a*'":                                                      truth.No,
		"'AB' StringLikeIgnoreCase 'a*'":                                               truth.Yes,
		"'ab' StringLike 'a?'":                                                         truth.Unknown,
		`'a*' StringLike 'a\*x'`:                                                       truth.Unknown,
		"'ab' StringStartsWithIgnoreCase 'A'":                                          truth.Yes,
		"'ab' StringEndsWith 'b'":                                                      truth.Unknown,
		"{1, 2} ForSomeOfAnyValues:NumericEquals {1}":                                  truth.Unknown,
		"@Request[a] StringEquals 'known'":                                             truth.Yes,
		"'known' StringEquals @request[A]":                                             truth.Yes,
		"Exists @Request[a]":                                                           truth.Yes,
		"Exists @Request[b]":                                                           truth.Unknown,
		"Exists @Environment[UtcNow]":                                                  truth.Yes,
		"@Request[a] StringEquals @Request[b]":                                         truth.Unknown,
		"@Environment[UtcNow] DateTimeEquals @Environment[UtcNow]":                     truth.Unknown,
		"@Environment[UtcNow] StringEquals '2026-06-01T00:00:00Z'":                     truth.Unknown,
		"{'2027-01-01T00:00:00Z'} ForAnyOfAnyValues:DateTimeGreaterThan @Environment[UtcNow]": truth.Yes,
		"@Environment[UtcNow] DateTimeSooner '2027-01-01T00:00:00Z'":                          truth.Unknown,
	} {
		c := parseCondition(text, "2.0")
		got := c.holds(facts{action: "x", at: time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC), request: map[string]string{"@request[a]": "known"}})
		if got != want || c.err != nil {
			t.Errorf("%s: %d, want %d (%v)", text, got, want, c.err)
		}
	}
}

func TestWhatDoesNotParseSaysWhere(t *testing.T) {
	for text, why := range map[string]string{
		"ActionMatches('*')":         "( where { is needed",
		"ActionMatches{*}":           "character 14",
		"ActionMatches{'*', 'x'}":    ", where } is needed",
		"SubOperationMatches 'x'":    "a text where { is needed",
		"Exists 'x'":                 "a text where an attribute is needed",
		"'a' 'b'":                    "a text where",
		"{'a' 'b'} StringEquals 'c'": "a text between values",
		"{'a', } StringEquals 'c'":   "} among values",
		"'a' StringEquals )":         ") where a value is needed",
		"'a' StringEquals 'b' x":     "it goes on",
		"@Request StringEquals 'a'":  "without brackets",
		"'a' & 'b'":                  "a single &",
		"'a":                         "has no end",
		"a AND":                      "AND where",
		"(a OR":                      "OR where",
		"":                           "the end where a value is needed",
		"'x' DateTimeLessThan @Environment[UtcNow]": "parsing time",
	} {
		if c := parseCondition(text, ""); c.err == nil || !strings.Contains(c.err.Error(), why) {
			t.Errorf("%q: %v, want %q", text, c.err, why)
		}
	}
}

func TestConditionsThatDifferInSpellingOnlyAreOne(t *testing.T) {
	const text = "(\n !(ActionMatches{'Microsoft.KeyVault/*'})\n OR @Request[Microsoft.Authorization/roleAssignments:PrincipalType] StringEqualsIgnoreCase 'User'\n)"
	for _, other := range []string{
		strings.Join(strings.Fields(text), " "),
		strings.ReplaceAll(text, "OR", "||"),
		strings.ReplaceAll(text, "!(", "NOT ("),
		strings.ReplaceAll(text, "ActionMatches", "actionmatches"),
		strings.ReplaceAll(text, "@Request[Microsoft", "@request[MICROSOFT"),
	} {
		if squeezed(other) != squeezed(text) {
			t.Errorf("%q is %q", other, squeezed(other))
		}
	}
	for _, other := range []string{
		strings.ReplaceAll(text, "'User'", "'user'"), strings.ReplaceAll(text, "OR", "AND"), strings.ReplaceAll(text, "!", ""), strings.ReplaceAll(text, "KeyVault/*", "KeyVault/ *"),
	} {
		if squeezed(other) == squeezed(text) {
			t.Errorf("%q is the same", other)
		}
	}
	if a, b := squeezed("@Resource[x/tags:Project<$key_case_sensitive$>] StringEquals 'a'"), squeezed("@Resource[x/tags:project<$key_case_sensitive$>] StringEquals 'a'"); a == b {
		t.Error("keys of tags know case")
	}
}

func TestWithoutAMomentWhatTurnsOnTimeIsOpen(t *testing.T) {
	p := fuzzCase(fuzzVaultText, "["+assigned(fuzzConfluent, encryptionUser, fuzzVault, "@Environment[UtcNow] DateTimeLessThan '2027-01-01T00:00:00Z'")+"]", fuzzRoles, "[]")
	p = edited(t, p, core.VaultKey, `"enabled":true`, `"enabled":true,"exp":1798761600`)
	q := fuzzQuestion(p)
	q.At = time.Time{}
	j := Judge(p, q)
	for _, f := range j.Findings {
		if f.Permission == keyValidity {
			if f.Result != core.Undetermined || !strings.Contains(f.Reason, "not known") {
				t.Errorf("%s is %v: %s", f.Permission, f.Result, f.Reason)
			}
		}
	}
	if f := j.Findings[0]; f.Result != core.Undetermined || !strings.Contains(f.Reason, "when this is judged is not known") || !j.Expires.IsZero() {
		t.Errorf("%s is %v until %v: %s", f.Permission, f.Result, j.Expires, f.Reason)
	}
}

func TestWhatNobodyKnowsIsNotAnswered(t *testing.T) {
	p := goodCase()
	q := fuzzQuestion(p)
	q.Needs = []core.Requirement{
		{Aspect: core.Access, Principal: fuzzSelf, Permission: rightVaultRead}, {Aspect: core.Access, Permission: "Microsoft.KeyVault/vaults/keys/dance/action"}, {Aspect: "mood", Permission: "x"},
		{Aspect: core.Property, Permission: "vault:colour"}, {Aspect: core.Property, Permission: "key:colour"}, {Aspect: core.Property, Permission: "version:1:enabled"}, {Aspect: core.Property, Permission: "x"},
	}
	for i, f := range Judge(p, q).Findings {
		if want := map[int]core.Result{1: core.Missing}[i]; f.Result != want || f.Reason == "" {
			t.Errorf("%s %s is %v: %s", f.Aspect, f.Permission, f.Result, f.Reason)
		}
	}
}
