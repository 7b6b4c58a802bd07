package awstest

import (
	"context"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"byokwatch/functions/emulatortest"
)

// Config is an SDK configuration whose requests reach this emulator in the
// same process, signed as the caller with that access key ID.
func (c *Cloud) Config(accessKey, region string) aws.Config {
	return aws.Config{
		Region:     region,
		HTTPClient: &http.Client{Transport: c.RoundTripper()},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: accessKey, SecretAccessKey: "secret", SessionToken: "token", Source: "awstest"}, nil
		}),
	}
}

// KMS is the real client of the Key Management Service over Config.
func (c *Cloud) KMS(accessKey, region string, opts ...func(*kms.Options)) *kms.Client {
	return kms.NewFromConfig(c.Config(accessKey, region), opts...)
}

// RoundTripper serves requests in the calling goroutine.
func (c *Cloud) RoundTripper() http.RoundTripper { return emulatortest.InProcess(c, nil) }
