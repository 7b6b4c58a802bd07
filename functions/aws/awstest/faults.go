package awstest

import (
	"time"

	"byokwatch/core/watchdog/chaostest"
)

// doomed is what a fate says instead of doing anything; nil where nothing.
// [chaostest.Unavailable] is a dependency of KMS that can't be reached.
func doomed(f chaostest.Fate) *failure {
	switch f.Kind {
	case chaostest.Throttle:
		return refuse("ThrottlingException", "Rate exceeded")
	case chaostest.Internal:
		return &failure{status: 500, code: "KMSInternalException", message: "The request was rejected because an internal exception occurred. The request can be retried."}
	case chaostest.Unavailable:
		return &failure{status: 503, code: "DependencyTimeoutException", message: "The system timed out while trying to fulfill the request. You can retry the request."}
	case chaostest.Other:
		return &failure{status: f.Fault.Status, code: f.Fault.Code, message: "made to happen"}
	case chaostest.Dropped, chaostest.Lost, chaostest.Stale, chaostest.Slow:
	}
	return nil
}

// overQuota counts a request against the documented quota of its operation, per
// account, Region and second
// (https://docs.aws.amazon.com/kms/latest/developerguide/requests-per-second.html).
func (c *Cloud) overQuota(region, op string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	limit, ok := quotas[op]
	if c.opts.NoQuotas || !ok {
		return false
	}
	if now := c.opts.Now().Truncate(time.Second); !now.Equal(c.second) {
		c.second = now
		clear(c.spent)
	}
	c.spent[region+op]++
	return c.spent[region+op] > limit
}

var quotas = map[string]int{
	"GetKeyPolicy": 1000, "DescribeKey": 2000, "GetPublicKey": 2000, "ListGrants": 100, "ListKeyPolicies": 100,
	"PutKeyPolicy": 15, "EnableKey": 5, "DisableKey": 5, "CancelKeyDeletion": 5, "ScheduleKeyDeletion": 15,
	"RevokeGrant": 30, "CreateGrant": 50, "CreateKey": 5, "Sign": 1000,
}
