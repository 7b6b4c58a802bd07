package main

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
)

func clientsOf(t *testing.T, vars map[string]string) clients {
	t.Helper()
	all := lambdaEnvironment()
	for name, value := range vars {
		all[name] = value
	}
	env, err := readEnvironment(list(all))
	if err != nil {
		t.Fatal(err)
	}
	return newClients(env)
}

// The SDK takes these from its loader, which is not used here.
func TestClientsFollowTheEnvironment(t *testing.T) {
	t.Run("AWS's own endpoints", func(t *testing.T) {
		c := clientsOf(t, nil)
		if o := c.kms(region).Options(); o.BaseEndpoint != nil || o.EndpointOptions.UseFIPSEndpoint == aws.FIPSEndpointStateEnabled {
			t.Errorf("KMS: endpoint %v, FIPS %v", o.BaseEndpoint, o.EndpointOptions.UseFIPSEndpoint)
		}
		if o := c.s3(region).Options(); o.BaseEndpoint != nil || o.UsePathStyle {
			t.Errorf("S3: endpoint %v, path style %v", o.BaseEndpoint, o.UsePathStyle)
		}
	})
	t.Run("FIPS and dual stack", func(t *testing.T) {
		c := clientsOf(t, map[string]string{"AWS_USE_FIPS_ENDPOINT": "true", "AWS_USE_DUALSTACK_ENDPOINT": "true"})
		k, s, m := c.kms(region).Options().EndpointOptions, c.s3(region).Options().EndpointOptions, c.secrets(region).Options().EndpointOptions
		for service, got := range map[string][2]bool{
			"KMS":             {k.UseFIPSEndpoint == aws.FIPSEndpointStateEnabled, k.UseDualStackEndpoint == aws.DualStackEndpointStateEnabled},
			"S3":              {s.UseFIPSEndpoint == aws.FIPSEndpointStateEnabled, s.UseDualStackEndpoint == aws.DualStackEndpointStateEnabled},
			"Secrets Manager": {m.UseFIPSEndpoint == aws.FIPSEndpointStateEnabled, m.UseDualStackEndpoint == aws.DualStackEndpointStateEnabled},
		} {
			if got != [2]bool{true, true} {
				t.Errorf("%s: FIPS and dual stack %v", service, got)
			}
		}
	})
	t.Run("interface endpoints", func(t *testing.T) {
		const prefix = "https://vpce-0295a3caf8414c94a-dfm9tr04."
		c := clientsOf(t, map[string]string{"AWS_ENDPOINT_URL_KMS": prefix + "kms.us-west-2.vpce.amazonaws.com", "AWS_ENDPOINT_URL_S3": strings.Replace(prefix, "//", "//bucket.", 1) + "s3.us-west-2.vpce.amazonaws.com"})
		if e := aws.ToString(c.kms(region).Options().BaseEndpoint); !strings.HasPrefix(e, prefix) {
			t.Errorf("KMS: %s", e)
		}
		if o := c.s3(region).Options(); o.BaseEndpoint == nil || o.UsePathStyle {
			t.Errorf("S3: endpoint %v, path style %v", o.BaseEndpoint, o.UsePathStyle)
		}
		if e := c.secrets(region).Options().BaseEndpoint; e != nil {
			t.Errorf("Secrets Manager: %s", *e)
		}
	})
	t.Run("another Region's bucket", func(t *testing.T) {
		c := clientsOf(t, map[string]string{"BYOKWATCH_STORE_REGION": "eu-west-1"})
		if got := c.s3(c.env.storeRegion).Options().Region; got != "eu-west-1" {
			t.Errorf("Region %s", got)
		}
	})
}
