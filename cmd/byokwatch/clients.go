package main

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	kmsapi "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"byokwatch/core"
	"byokwatch/core/config"
	"byokwatch/core/endpoint"
	"byokwatch/core/record"
	"byokwatch/core/watchdog"
	"byokwatch/functions/aws/kms"
	"byokwatch/functions/aws/s3store"
)

// clients makes the SDK's clients with the operator's own settings: profile,
// environment, single sign-on, as the AWS command line finds them.
type clients struct{ aws.Config }

// aws loads the settings once, so that nobody is asked for a token twice.
func (a *app) aws(ctx context.Context) (clients, error) {
	if a.clients != nil {
		return *a.clients, nil
	}
	if err := endpoint.CheckAWS(environmentFor(core.AWS), os.ReadFile); err != nil {
		return clients{}, err
	}
	cfg, err := awsconfig.LoadDefaultConfig(ctx, awsconfig.WithAssumeRoleCredentialOptions(func(o *stscreds.AssumeRoleOptions) {
		o.TokenProvider = a.token
	}))
	if err != nil {
		return clients{}, fmt.Errorf("load the AWS settings: %w", err)
	}
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		return clients{}, fmt.Errorf("there are no AWS credentials to use; log in, or set AWS_PROFILE: %w", err)
	}
	a.clients = &clients{cfg}
	return *a.clients, nil
}

// environmentFor leaves out what moves the services of other clouds: one file
// may hold keys of all of them.
func environmentFor(cloud core.Cloud) []string {
	return slices.DeleteFunc(os.Environ(), func(entry string) bool {
		for other, services := range map[core.Cloud][]string{core.Azure: azureServices, core.GCP: googleServices} {
			if other != cloud && slices.ContainsFunc(services, func(service string) bool {
				return strings.HasPrefix(entry, "BYOKWATCH_"+service+"_ENDPOINT=")
			}) {
				return true
			}
		}
		return false
	})
}

// token asks for the code of a profile that needs one.
func (a *app) token() (string, error) {
	fmt.Fprint(a.stderr, "MFA code of your AWS profile: ")
	code, err := bufio.NewReader(a.stdin).ReadString('\n')
	if code = strings.TrimSpace(code); code == "" {
		return "", fmt.Errorf("no MFA code: %w", err)
	}
	return code, nil
}

func (c clients) kms(region string) *kmsapi.Client {
	return kmsapi.NewFromConfig(c.Config, func(o *kmsapi.Options) { o.Region = region })
}

func (c clients) s3(region string) *s3.Client {
	return s3.NewFromConfig(c.Config, func(o *s3.Options) {
		o.Region = region
		o.UsePathStyle = o.BaseEndpoint != nil // an emulator has one address for all buckets
	})
}

func awsKeys(ctx context.Context, a *app) (watchdog.Cloud, error) {
	c, err := a.aws(ctx)
	if err != nil {
		return nil, err
	}
	return newKeepers(c), nil
}

func awsObjects(ctx context.Context, a *app, place config.Location, keys []core.Key) (record.Objects, error) {
	if place.Scheme != "s3" {
		return nil, fmt.Errorf("a store of the scheme %s holds no records of AWS keys", place.Scheme)
	}
	c, err := a.aws(ctx)
	if err != nil {
		return nil, err
	}
	region := cmp.Or(a.env("BYOKWATCH_STORE_REGION"), c.Region, regionOf(keys[0].ID))
	return s3store.New(c.s3(region), place.Bucket, place.Prefix), nil
}

// keepers reads and writes keys of any Region; each Region has its own keeper.
type keepers struct {
	clients clients
	mu      sync.Mutex
	all     map[string]*kms.Keeper
}

func newKeepers(c clients) *keepers { return &keepers{clients: c, all: map[string]*kms.Keeper{}} }

func (k *keepers) of(id string) *kms.Keeper {
	k.mu.Lock()
	defer k.mu.Unlock()
	region := regionOf(id)
	if k.all[region] == nil {
		k.all[region] = kms.New(k.clients.kms(region), kms.Options{})
	}
	return k.all[region]
}

// Read implements watchdog.Cloud.
func (k *keepers) Read(ctx context.Context, key core.Key) (core.Policy, error) {
	return k.of(key.ID).Read(ctx, key)
}

// Apply implements watchdog.Cloud.
func (k *keepers) Apply(ctx context.Context, key core.Key, s core.Step) error {
	return k.of(key.ID).Apply(ctx, key, s)
}

// regionOf reads the Region off an ARN.
func regionOf(arn string) string {
	if p := strings.SplitN(arn, ":", 5); len(p) == 5 {
		return p[3]
	}
	return ""
}
