package gcpkms

import (
	"slices"
	"strings"

	"byokwatch/core"
	"byokwatch/core/policy/wording"
)

// assumed lists what could only take access away and can't be seen, and what
// could give access and was not read. docs/semantics-gcp.md tells more.
func (c *court) assumed(p core.Policy) []string {
	out := []string{
		"Confluent's accounts are members of " + c.key.Needs.Group + ", and of no other group or set that a deny policy names",
		"no VPC Service Controls perimeter keeps Confluent out, and the Cloud KMS API is on",
	}
	out = append(out, c.barriersAssumed(p)...)
	for _, d := range p {
		if d.Kind == core.IAMPolicy && d.Unreadable != "" && d.ID != c.key.ID && !nameless(d.ID) {
			out = append(out, "what "+placeOf(d.ID, c.key.ID)+" gives does not count: its IAM policy can't be read ("+wording.Abridge(d.Unreadable, 120)+")")
		}
	}
	if !c.topRead() {
		out = append(out, "what folders and organisations give above those that were read does not count")
	}
	if !has(p, core.CryptoKey) && !has(p, core.CryptoKeyVersions) {
		out = append(out, "the key and all its versions that hold data are enabled")
	} else if !has(p, core.CryptoKeyVersions) {
		out = append(out, "the older versions of the key are enabled")
	}
	if c.above {
		out = append(out, "the watchdog has the rights that nothing here gives it, from above what it can read")
	}
	return out
}

// topRead says that an organisation's IAM policy was read.
func (c *court) topRead() bool {
	return slices.ContainsFunc(c.file.levels, func(l level) bool { return strings.HasPrefix(l.doc.ID, "organizations/") })
}

// barriersAssumed says which deny policies were not seen.
func (c *court) barriersAssumed(p core.Policy) []string {
	var read, blind []string
	for _, d := range p {
		switch {
		case d.Kind != core.DenyPolicies:
		case d.Unreadable != "":
			blind = append(blind, "no deny policy of "+placeOf(d.ID, c.key.ID)+" takes access away: they can't be read ("+wording.Abridge(d.Unreadable, 120)+")")
		default:
			kind, _, _ := strings.Cut(d.ID, "/")
			read = append(read, kind)
		}
	}
	switch {
	case len(read) == 0 && len(blind) == 0:
		return []string{"no deny policy takes access away"}
	case !slices.Contains(read, "organizations") && len(blind) == 0:
		return []string{"no deny policy above those that were read takes access away"}
	}
	return blind
}

func has(p core.Policy, kind core.Kind) bool {
	_, ok := p.Find(kind)
	return ok
}
