package main

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

const (
	// attempts of one call, and the longest pause between two of them. KMS and
	// S3 answer in milliseconds; what takes longer is left to the next look.
	attempts   = 4
	maxBackoff = 2 * time.Second
	// tryTimeout bounds one attempt, so that a lost packet costs a retry and
	// not the invocation.
	tryTimeout  = 8 * time.Second
	dialTimeout = 3 * time.Second
	// connections per host that a sweep keeps open.
	connections = 32
)

// clients makes the SDK's clients. Their settings are taken from the
// environment alone: the SDK's own loader would also read profile files, which
// could point endpoints elsewhere, and links credential sources that a Lambda
// function never uses (STS, SSO, instance metadata), which every cold start
// would pay for.
type clients struct {
	env environment
	aws aws.Config
}

func newClients(env environment) clients {
	transport := awshttp.NewBuildableClient().WithTimeout(tryTimeout).
		WithDialerOptions(func(d *net.Dialer) { d.Timeout = dialTimeout }).
		WithTransportOptions(func(t *http.Transport) {
			t.TLSHandshakeTimeout = dialTimeout
			t.MaxIdleConnsPerHost = connections
		})
	return clients{env, aws.Config{
		Region: env.region,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return env.credentials, nil
		}),
		HTTPClient:    transport,
		ConfigSources: []any{variants{env}},
		Retryer: func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) {
				o.MaxAttempts, o.MaxBackoff = attempts, maxBackoff
			})
		},
	}}
}

// kms is a client for keys of a Region.
func (c clients) kms(region string) *kms.Client {
	return kms.NewFromConfig(c.aws, func(o *kms.Options) {
		o.Region = region
		o.BaseEndpoint = c.endpoint(serviceKMS)
	})
}

// s3 is a client for buckets of a Region.
func (c clients) s3(region string) *s3.Client {
	return s3.NewFromConfig(c.aws, func(o *s3.Options) {
		o.Region = region
		o.BaseEndpoint = c.endpoint(serviceS3)
		// An emulator has one address for all buckets.
		u, err := url.Parse(aws.ToString(o.BaseEndpoint))
		o.UsePathStyle = err == nil && isLoopback(u.Hostname())
	})
}

// secrets is a client for secrets of a Region.
func (c clients) secrets(region string) *secretsmanager.Client {
	return secretsmanager.NewFromConfig(c.aws, func(o *secretsmanager.Options) {
		o.Region = region
		o.BaseEndpoint = c.endpoint(serviceSecrets)
	})
}

// variants tells the SDK which of AWS's own endpoints to use, in the way in which
// its loader would.
type variants struct{ env environment }

func (v variants) GetUseFIPSEndpoint(context.Context) (aws.FIPSEndpointState, bool, error) {
	return aws.FIPSEndpointStateEnabled, v.env.fips, nil
}

func (v variants) GetUseDualStackEndpoint(context.Context) (aws.DualStackEndpointState, bool, error) {
	return aws.DualStackEndpointStateEnabled, v.env.dualStack, nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

func (c clients) endpoint(service string) *string {
	if e := c.env.endpoints[service]; e != "" {
		return &e
	}
	return nil
}

// secret looks up what a ${…} of the configuration refers to, when it is about
// to be used: NAME, a variable of the function, or secret:ARN, a secret of
// Secrets Manager. "" means that it is not there.
func (c clients) secret(ctx context.Context, name string) (string, error) {
	arn, managed := strings.CutPrefix(name, "secret:")
	if !managed {
		return secretVariable(name), nil
	}
	region := c.env.region
	// arn:aws:secretsmanager:us-west-2:111122223333:secret:name
	if parts := strings.Split(arn, ":"); len(parts) > 3 {
		region = parts[3]
	}
	out, err := c.secrets(region).GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &arn})
	if err != nil {
		return "", err
	}
	return aws.ToString(out.SecretString), nil
}
