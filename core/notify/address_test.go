package notify

import (
	"net/netip"
	"testing"
)

func TestPublicAddressesPass(t *testing.T) {
	for _, s := range []string{"52.89.10.20", "8.8.8.8", "::ffff:8.8.8.8", "2600:1f14::1", "2a00:1450:4001::1", "64:ff9b::808:808"} {
		if err := checkAddress(netip.MustParseAddr(s), false); err != nil {
			t.Errorf("%s: %v", s, err)
		}
	}
}

func TestLoopbackPassesWithLeave(t *testing.T) {
	for _, s := range []string{"127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"} {
		if err := checkAddress(netip.MustParseAddr(s), true); err != nil {
			t.Errorf("%s: %v", s, err)
		}
	}
}
