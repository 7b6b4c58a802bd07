package gcpkms

import (
	"fmt"
	"strings"
	"testing"

	"byokwatch/core"
)

// largest is a key under a policy of the largest size that IAM takes: 1,500
// members, 250 of them groups, in 300 bindings, one in ten with a condition of
// its own.
//
// Source: https://cloud.google.com/iam/quotas
func largest() core.Policy {
	var bindings []string
	for i := range 300 {
		var members []string
		for j := range 5 {
			n := 5*i + j
			kind := "serviceAccount:app-%d@acme-production.iam.gserviceaccount.com"
			if n%6 == 0 {
				kind = "group:team-%d@acme.example"
			}
			members = append(members, fmt.Sprintf(kind, n))
		}
		condition := ""
		if i%10 == 0 {
			condition = fmt.Sprintf(`"condition": {"expression": "resource.name.startsWith(\"projects/acme/x%d\")", "title": "c%d"}, `, i, i)
		}
		bindings = append(bindings, fmt.Sprintf("    {\n      %s\"members\": [\n        \"%s\"\n      ],\n      \"role\": \"roles/cloudkms.viewer\"\n    }", condition, strings.Join(members, "\",\n        \"")))
	}
	bindings = append(bindings,
		`{"members": ["group:`+fuzzGroup+`"], "role": "`+fuzzRole+`", "condition": {"expression": "request.time < timestamp(\"2030-01-01T00:00:00Z\")", "title": "t"}}`,
		`{"members": ["serviceAccount:`+fuzzSelf+`"], "role": "roles/cloudkms.admin"}`)
	return fuzzCase("{\n  \"bindings\": [\n"+strings.Join(bindings, ",\n")+"\n  ],\n  \"etag\": \"BwX\",\n  \"version\": 3\n}", `{"etag":"ACAB"}`, "[]", fuzzGoodRole)
}

func BenchmarkJudge(b *testing.B) {
	p := largest()
	q := fuzzQuestion(p)
	if j := Judge(p, q); j.Digest == "" || j.Findings[0].Result != core.Met {
		b.Fatalf("%+v", j)
	}
	b.SetBytes(int64(len(p[2].Text)))
	b.ReportAllocs()
	for b.Loop() {
		Judge(p, q)
	}
}
