package notify

import (
	"fmt"
	"net/netip"
)

// AddressError is a refusal to connect: the channel's name resolved to an
// address that no channel has, such as that of a metadata service.
type AddressError struct{ Why string }

func (e *AddressError) Error() string { return "address refused: " + e.Why }

// checkAddress returns an error unless ip is a public unicast address, or a
// loopback one where these are allowed. It looks through the notations by which
// an IPv6 address carries an IPv4 one, because a translator would.
func checkAddress(ip netip.Addr, loopback bool) error {
	ip = ip.Unmap().WithZone("")
	if ip.IsLoopback() {
		if loopback {
			return nil
		}
		return &AddressError{"loopback"}
	}
	if nat64.Contains(ip) {
		b := ip.As16()
		ip = netip.AddrFrom4([4]byte(b[12:]))
	}
	if ip.Is6() && !globalUnicast.Contains(ip) {
		return &AddressError{"not a public IPv6 address"}
	}
	for _, r := range reserved {
		if r.prefix.Contains(ip) {
			return &AddressError{r.why}
		}
	}
	if !ip.IsGlobalUnicast() {
		return &AddressError{"not a public address"}
	}
	return nil
}

var (
	// RFC 6052 §2.1; an IPv6-only subnet reaches IPv4 hosts through it.
	nat64 = netip.MustParsePrefix("64:ff9b::/96")
	// All public IPv6 addresses are within it
	// (https://www.iana.org/assignments/ipv6-address-space).
	globalUnicast = netip.MustParsePrefix("2000::/3")
)

// reserved are the blocks that are not public although they look it
// (https://www.iana.org/assignments/iana-ipv4-special-registry and
// …/iana-ipv6-special-registry), and one public address that is a metadata
// service.
var reserved = []struct {
	prefix netip.Prefix
	why    string
}{
	block("0.0.0.0/8", "this host"),
	block("10.0.0.0/8", "private network"),
	block("100.64.0.0/10", "shared address space"),
	block("127.0.0.0/8", "loopback"),
	block("169.254.0.0/16", "link-local, where metadata services are"),
	block("172.16.0.0/12", "private network"),
	block("192.0.0.0/24", "protocol assignments"),
	block("192.0.2.0/24", "documentation"),
	block("192.88.99.0/24", "6to4 relay"),
	block("192.168.0.0/16", "private network"),
	block("198.18.0.0/15", "benchmarking"),
	block("198.51.100.0/24", "documentation"),
	block("203.0.113.0/24", "documentation"),
	block("224.0.0.0/3", "multicast or reserved"),
	// https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16
	block("168.63.129.16/32", "Azure's platform service"),
	block("2001::/23", "protocol assignments"),
	block("2001:db8::/32", "documentation"),
	block("2002::/16", "6to4"),
	block("3fff::/20", "documentation"),
}

func block(cidr, why string) struct {
	prefix netip.Prefix
	why    string
} {
	return struct {
		prefix netip.Prefix
		why    string
	}{netip.MustParsePrefix(cidr), fmt.Sprintf("%s (%s)", why, cidr)}
}
