package gcpkms

import (
	"strings"

	"byokwatch/core/policy/truth"
	"byokwatch/core/policy/wording"
)

// subject is whose access is asked about: Confluent's group, or the watchdog's
// service account.
type subject struct {
	address string // as configured
	account bool   // a service account, not a group
	apart   string // a group that a service account is not in: Confluent's
}

func groupOf(address string) subject { return subject{address: address} }

// accountOf is the watchdog, which is never a member of Confluent's group.
func accountOf(address, apart string) subject {
	return subject{address: address, account: true, apart: apart}
}

// member is what IAM calls the subject in an allow policy.
func (s subject) member() string {
	if s.account {
		return "serviceAccount:" + s.address
	}
	return "group:" + s.address
}

// is says whether what a member of an allow policy is given, the subject has.
// The group's members are Confluent's service accounts: they come from the
// internet and are authenticated. Deleted members are nobody. Of the watchdog it
// is not known which groups it is in.
//
// Source: https://cloud.google.com/iam/docs/principal-identifiers#allow
func (s subject) is(member string) truth.Truth {
	kind, address, _ := strings.Cut(member, ":")
	switch {
	case member == "allUsers" || member == "allAuthenticatedUsers":
		return truth.Yes
	case !s.account:
		return truth.Known(kind == "group" && wording.Same(address, s.address))
	case kind == "serviceAccount":
		return truth.Known(wording.Same(address, s.address))
	case kind == "group":
		return truth.Known(!wording.Same(address, s.apart)).And(truth.Unknown)
	case kind == "principalSet":
		return truth.Known(strings.HasPrefix(address, "//cloudresourcemanager.googleapis.com/")).And(truth.Unknown)
	}
	return truth.No
}

// among is the closest of members to the subject.
func among(s subject, members []string) truth.Truth {
	best := truth.No
	for _, m := range members {
		if best = best.Or(s.is(m)); best == truth.Yes {
			return truth.Yes
		}
	}
	return best
}

// named is the member that matches best, for evidence and reasons.
func named(s subject, members []string) string {
	public := ""
	for _, m := range members {
		switch {
		case s.is(m) != truth.Yes:
		case strings.HasPrefix(m, "all"):
			public = m
		default:
			return m
		}
	}
	return public
}

const (
	denyGroup    = "principalSet://goog/group/"
	denyEveryone = "principalSet://goog/public:all"
	denySubject  = "principal://goog/subject/"
	denyAccount  = "principal://iam.googleapis.com/projects/-/serviceAccounts/"
	denyCustomer = "principalSet://goog/cloudIdentityCustomerId/"
	denyWithin   = "principalSet://cloudresourcemanager.googleapis.com/"
)

// hitBy says whether a principal of a deny policy is the subject. Confluent's
// accounts, its customer ID and its organisation are not known, so that what
// names one of those may be Confluent; the owner's own groups and people are
// taken not to be.
//
// Sources: https://cloud.google.com/iam/docs/principal-identifiers#deny,
// https://cloud.google.com/iam/docs/reference/rest/v2/policies#DenyRule
func (s subject) hitBy(principal, project string) truth.Truth {
	rest, found := "", false
	cut := func(prefix string) bool {
		rest, found = strings.CutPrefix(principal, prefix)
		return found
	}
	switch {
	case principal == denyEveryone:
		return truth.Yes
	case cut("deleted:"):
		return truth.No
	case cut(denyGroup):
		if !s.account && wording.Same(rest, s.address) {
			return truth.Yes
		}
		return truth.Known(s.account && !wording.Same(rest, s.apart) || !s.account && sameDomain(rest, s.address)).And(truth.Unknown)
	case cut(denySubject):
		return truth.Known(!s.account && sameDomain(rest, s.address)).And(truth.Unknown)
	case cut(denyAccount):
		if s.account {
			return truth.Known(wording.Same(rest, s.address))
		}
		return truth.Known(strings.HasSuffix(rest, "@"+project+".iam.gserviceaccount.com")).Not().And(truth.Unknown)
	case cut(denyCustomer), cut(denyWithin):
		return truth.Unknown
	case strings.HasPrefix(principal, "principal://iam.googleapis.com/"), strings.HasPrefix(principal, "principalSet://iam.googleapis.com/"):
		return truth.No // workforce and workload identities: neither a group's service account nor ours
	}
	return truth.Unknown
}

func sameDomain(a, b string) bool {
	_, x, _ := strings.Cut(a, "@")
	_, y, _ := strings.Cut(b, "@")
	return x != "" && wording.Same(x, y)
}
