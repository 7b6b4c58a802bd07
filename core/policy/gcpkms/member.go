package gcpkms

import "strings"

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
func (s subject) is(member string) truth {
	kind, address, _ := strings.Cut(member, ":")
	switch {
	case member == "allUsers" || member == "allAuthenticatedUsers":
		return yes
	case !s.account:
		return known(kind == "group" && sameAddress(address, s.address))
	case kind == "serviceAccount":
		return known(sameAddress(address, s.address))
	case kind == "group":
		return known(!sameAddress(address, s.apart)).and(unknown)
	case kind == "principalSet":
		return known(strings.HasPrefix(address, "//cloudresourcemanager.googleapis.com/")).and(unknown)
	}
	return no
}

// among is the closest of members to the subject.
func among(s subject, members []string) truth {
	best := no
	for _, m := range members {
		if best = best.or(s.is(m)); best == yes {
			return yes
		}
	}
	return best
}

// named is the member that matches best, for evidence and reasons.
func named(s subject, members []string) string {
	public := ""
	for _, m := range members {
		switch {
		case s.is(m) != yes:
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
func (s subject) hitBy(principal, project string) truth {
	rest, found := "", false
	cut := func(prefix string) bool {
		rest, found = strings.CutPrefix(principal, prefix)
		return found
	}
	switch {
	case principal == denyEveryone:
		return yes
	case cut("deleted:"):
		return no
	case cut(denyGroup):
		if !s.account && sameAddress(rest, s.address) {
			return yes
		}
		return known(s.account && !sameAddress(rest, s.apart) || !s.account && sameDomain(rest, s.address)).and(unknown)
	case cut(denySubject):
		return known(!s.account && sameDomain(rest, s.address)).and(unknown)
	case cut(denyAccount):
		if s.account {
			return known(sameAddress(rest, s.address))
		}
		return known(strings.HasSuffix(rest, "@"+project+".iam.gserviceaccount.com")).not().and(unknown)
	case cut(denyCustomer), cut(denyWithin):
		return unknown
	case strings.HasPrefix(principal, "principal://iam.googleapis.com/"), strings.HasPrefix(principal, "principalSet://iam.googleapis.com/"):
		return no // workforce and workload identities: neither a group's service account nor ours
	}
	return unknown
}

func sameDomain(a, b string) bool {
	_, x, _ := strings.Cut(a, "@")
	_, y, _ := strings.Cut(b, "@")
	return x != "" && sameAddress(x, y)
}

// sameAddress compares without regard to the case of ASCII letters: an address
// holds no others, and U+212A must not pass for K.
func sameAddress(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		x, y := a[i], b[i]
		if x != y && (x|0x20 != y|0x20 || x|0x20 < 'a' || x|0x20 > 'z') {
			return false
		}
	}
	return true
}
