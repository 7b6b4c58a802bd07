package awskms

import (
	"slices"
	"time"

	"byokwatch/core"
	"byokwatch/core/policy/expiry"
	"byokwatch/core/policy/truth"
)

// maxDates bounds how many dates a policy may name before its dates count as
// impossible to list. Nobody writes as many, and each is judged twice.
const maxDates = 50

// dates lists, sorted and once each, the instants that conditions on the time
// name. ok is false if there are too many.
func dates(rules []rule) (out []time.Time, ok bool) {
	for i := range rules {
		for j := range rules[i].tests {
			out = append(out, rules[i].tests[j].dates()...)
		}
	}
	slices.SortFunc(out, time.Time.Compare)
	out = slices.CompactFunc(out, time.Time.Equal)
	return out, len(out) <= maxDates
}

func (t *test) dates() []time.Time {
	var out []time.Time
	for _, l := range t.listed {
		switch {
		case !t.timed() || !l.valid:
		case t.op.family == dateFamily:
			out = append(out, l.instant)
		case t.op.family == numericFamily:
			out = append(out, epoch(l.number))
		}
	}
	return out
}

// blur makes every condition on the time undecidable.
func blur(rules []rule) {
	for i := range rules {
		for j := range rules[i].tests {
			if rules[i].tests[j].timed() {
				rules[i].tests[j].op = operator{}
			}
		}
	}
}

// expires is the first moment after the question's at which a critical
// permission, or a right of ours, that is Met no longer is. Between two dates
// that conditions name nothing changes, so each date and the moment just after
// it are all there is to look at. It leaves the evaluators at another time.
func (c *court) expires(findings []core.Finding) time.Time {
	named, ok := dates(c.rules)
	if !ok {
		return time.Time{}
	}
	return expiry.First(c.at, named, expiry.Watched(findings), c.ends)
}

// ends says that one of needs is not Met at a time.
func (c *court) ends(needs []core.Requirement, at time.Time) bool {
	c.at = at
	for _, e := range c.own {
		e.retime(c.setting)
	}
	for _, bench := range c.evaluators {
		for _, e := range bench {
			e.retime(c.setting)
		}
	}
	return slices.ContainsFunc(needs, func(need core.Requirement) bool {
		bench, err := c.bench(need.Principal)
		if need.Aspect == core.Own {
			bench, err = c.benchOfSelf()
		}
		return err != nil || c.decide(bench, need.Permission).allowed != truth.Yes
	})
}
