package main

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
)

// awsHost are the addresses of the services that we call, at AWS itself or
// through an interface endpoint. Anything wider would not do: under
// amazonaws.com are also addresses that anybody can have, such as those of
// gateways and load balancers.
//
// https://docs.aws.amazon.com/general/latest/gr/kms.html,
// https://docs.aws.amazon.com/general/latest/gr/s3.html,
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/privatelink-interface-endpoints.html
var awsHost = regexp.MustCompile(`^(?:(?:bucket\.)?vpce-[a-z0-9-]+\.)?(?:kms|s3|secretsmanager)(?:-fips)?(?:\.dualstack)?\.[a-z]{2,4}(?:-[a-z]+)+-[0-9]+(?:\.vpce)?\.(?:amazonaws\.com|amazonaws\.com\.cn|amazonaws\.eu|api\.aws|api\.amazonwebservices\.com\.cn)$`)

// realKey is what an access key ID of AWS looks like:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids
var realKey = regexp.MustCompile(`^A[A-Z]{2}A[A-Z0-9]{12,}$`)

// checkEndpoint returns an error unless calls to endpoint reach AWS, or an
// emulator on this machine with credentials that are worth nothing. Whoever
// answers elsewhere could collect signed requests.
func checkEndpoint(endpoint, accessKeyID string) error {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("%q is not the URL of a service", endpoint)
	}
	switch loopback := isLoopback(u.Hostname()); {
	case loopback && realKey.MatchString(accessKeyID):
		return errors.New("an address on loopback is for emulators, but the credentials are real ones: use others, such as test")
	case loopback && (u.Scheme == "http" || u.Scheme == "https"):
		return nil
	case u.Scheme == "https" && awsHost.MatchString(u.Hostname()) && (u.Port() == "" || u.Port() == "443"):
		return nil
	}
	return fmt.Errorf("%q is neither an https address of AWS nor on loopback", endpoint)
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}
