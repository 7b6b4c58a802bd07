package deploytest

import (
	"testing"
)

func TestGood(t *testing.T) { Check(t, "testdata/good") }

func TestPlan(t *testing.T) {
	p := Plan(t, "testdata/good", map[string]any{"project": "acme"})
	for _, r := range p.Resources {
		t.Log(r.Address, r.Type, r.Index, r.Values)
	}
	t.Log(p.Outputs)
}
