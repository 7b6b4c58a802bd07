package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"byokwatch/core"
	"byokwatch/core/config"
	"byokwatch/core/policy/awskms"
	"byokwatch/core/record"
	"byokwatch/core/watchdog"
	"byokwatch/functions/aws/kms"
	"byokwatch/functions/aws/s3store"
	"byokwatch/functions/wiring"
)

// How a write to KMS is confirmed: five equal reads, a second apart, as others
// who write key policies found necessary; the change may take minutes to be
// seen everywhere.
// https://docs.aws.amazon.com/kms/latest/developerguide/accessing-kms.html#programming-eventual-consistency
const (
	confirmReads = 5
	confirmEvery = time.Second
	settle       = 5 * time.Minute
)

// rules is how key policies are judged and restored.
var rules = watchdog.Rules{
	Needs: awskms.Needs, Judge: awskms.Judge, Candidates: awskms.Candidates, Guard: awskms.Guard,
	Trim: awskms.Trim, Diff: awskms.Diff, Fragment: awskms.Fragment, Unlock: awskms.Unlock,
}

// builder builds the watch from the environment and the configuration.
type builder struct {
	env     environment
	log     *slog.Logger
	clients clients
}

func newBuilder(env environment, log *slog.Logger) *builder {
	return &builder{env, log, newClients(env)}
}

// load reads the configuration and puts it to work.
func (b *builder) load(ctx context.Context) (*wiring.Watch, error) {
	account, err := b.env.account()
	if err != nil {
		return nil, err
	}
	cfg, err := b.env.Configuration(ctx, core.AWS, b.object)
	if err != nil {
		return nil, err
	}
	keys := cfg.KeysIn(account, b.env.region)
	if len(keys) == 0 {
		return nil, fmt.Errorf("the configuration has no key of account %s in %s: add one, or remove this function", account, b.env.region)
	}
	return wiring.Assemble(cfg, wiring.Parts{
		Cloud: core.AWS, Objects: b.objects, InKMS: b.signer, Lookup: b.clients.secret,
		Dog: watchdog.Config{
			Cloud: kms.New(b.clients.kms(b.env.region), kms.Options{}), Rules: rules,
			Keys: keys, Self: b.env.Self, Scope: account + "/" + b.env.region, Log: b.log,
			Reads: confirmReads, Every: confirmEvery, Settle: settle,
		},
	})
}

// object opens a configuration that is an object of a bucket.
func (b *builder) object(ctx context.Context, src wiring.Source) (io.ReadCloser, error) {
	out, err := b.clients.s3(b.env.storeRegion).GetObject(ctx, &s3.GetObjectInput{Bucket: &src.Bucket, Key: &src.Path})
	if err != nil {
		return nil, err
	}
	return out.Body, nil
}

// objects opens the bucket in which records are kept.
func (b *builder) objects(place config.Location) (record.Objects, error) {
	return s3store.New(b.clients.s3(b.env.storeRegion), place.Bucket, place.Prefix), nil
}

// signer signs with a key of KMS, which may be of another Region.
func (b *builder) signer(arn string) func(context.Context, []byte) ([]byte, error) {
	// arn:aws:kms:us-west-2:111122223333:key/…
	return kms.Signer(b.clients.kms(strings.Split(arn, ":")[3]), arn)
}
