package kms

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"golang.org/x/sync/errgroup"

	"byokwatch/core"
	"byokwatch/core/pattern"
	"byokwatch/core/strict"
	"byokwatch/functions/adapter"
)

// Options are for those who do not run inside Lambda. The zero value is right
// there.
type Options struct {
	// Attempt bounds one request; 0 means 5 s.
	Attempt time.Duration
	// Reading bounds all attempts of one read together; 0 means 10 s. A key that
	// can't be read by then is for the next event or sweep.
	Reading time.Duration
	// Reserve is left over of the context's time when a write gives up, so that
	// the caller can still save what happened; 0 means 5 s.
	Reserve time.Duration
}

// Keeper is the watchdog's way to the keys of one Region. It is safe for
// concurrent use.
type Keeper struct {
	client *kms.Client
	region string
	opts   Options
}

// New makes a Keeper of a client, which brings Region, credentials and
// endpoint with it.
func New(client *kms.Client, opts Options) *Keeper {
	opts.Attempt = cmp.Or(opts.Attempt, adapter.Attempt)
	opts.Reading = cmp.Or(opts.Reading, adapter.Reading)
	opts.Reserve = cmp.Or(opts.Reserve, adapter.Reserve)
	return &Keeper{client: client, region: client.Options().Region, opts: opts}
}

// keyARN is the only form in which keys are named here
// (https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#key-id-key-ARN).
var keyARN = pattern.New(`^arn:aws[a-z-]*:kms:([a-z0-9-]+):[0-9]{12}:key/[A-Za-z0-9-]+$`)

// here refuses what is not a key ARN of the client's Region.
func (k *Keeper) here(id string) error { return inRegion(id, k.region) }

func inRegion(id, region string) error {
	m := keyARN.FindStringSubmatch(id)
	if m == nil {
		return fmt.Errorf("%q is not the ARN of a KMS key", id)
	}
	if m[1] != region {
		return fmt.Errorf("key %s is in Region %s, but this function runs in %s: deploy one there", id, m[1], region)
	}
	return nil
}

// Read returns the key's policy and its metadata, read at the same time. One
// that can't be read is there with the reason. If neither can, the error wraps
// core.ErrNotFound where KMS knows no such key, and core.ErrDenied where we may
// see neither.
func (k *Keeper) Read(ctx context.Context, key core.Key) (core.Policy, error) {
	if err := k.here(key.ID); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, k.opts.Reading)
	defer cancel()
	var policy, metadata core.Document
	var noPolicy, noMetadata error
	var both errgroup.Group
	both.Go(func() error { policy, noPolicy = k.readPolicy(ctx, key.ID); return nil })
	both.Go(func() error { metadata, noMetadata = k.readMetadata(ctx, key.ID); return nil })
	_ = both.Wait() // neither returns one; both errors count, below
	if noPolicy != nil && noMetadata != nil {
		return nil, fmt.Errorf("read key %s: %w", key.ID, adapter.Nothing(noPolicy, noMetadata))
	}
	if noPolicy != nil {
		policy = core.Document{Kind: core.KeyPolicy, ID: key.ID, Unreadable: plainly(noPolicy, "kms:GetKeyPolicy"), Denied: errors.Is(noPolicy, core.ErrDenied)}
	}
	if noMetadata != nil {
		metadata = core.Document{Kind: core.KeyMetadata, ID: key.ID, Unreadable: plainly(noMetadata, "kms:DescribeKey"), Denied: errors.Is(noMetadata, core.ErrDenied)}
	}
	return core.Policy{policy, metadata}, nil
}

func (k *Keeper) readPolicy(ctx context.Context, id string) (core.Document, error) {
	in := &kms.GetKeyPolicyInput{KeyId: &id, PolicyName: aws.String(policyName)}
	out, err := try(ctx, k.opts, 0, func(ctx context.Context) (*kms.GetKeyPolicyOutput, error) {
		return k.client.GetKeyPolicy(ctx, in, once)
	})
	if err != nil {
		return core.Document{}, fmt.Errorf("GetKeyPolicy: %w", err)
	}
	if out.Policy == nil {
		return core.Document{}, errors.New("GetKeyPolicy: the answer has no policy")
	}
	return core.Document{Kind: core.KeyPolicy, ID: id, Text: *out.Policy}, nil
}

func (k *Keeper) readMetadata(ctx context.Context, id string) (core.Document, error) {
	in := &kms.DescribeKeyInput{KeyId: &id}
	out, err := try(ctx, k.opts, 0, func(ctx context.Context) (*kms.DescribeKeyOutput, error) { return k.client.DescribeKey(ctx, in, once) })
	if err != nil {
		return core.Document{}, fmt.Errorf("DescribeKey: %w", err)
	}
	text, err := printed(out.KeyMetadata, id)
	if err != nil {
		return core.Document{}, fmt.Errorf("DescribeKey: %w", err)
	}
	return core.Document{Kind: core.KeyMetadata, ID: id, Text: text}, nil
}

// policyName is the only one there is
// (https://docs.aws.amazon.com/kms/latest/APIReference/API_PutKeyPolicy.html).
const policyName = "default"

// putBody and enableBody are the bodies of the two steps, member by member the
// API's own.
type putBody struct {
	KeyId                          string
	PolicyName                     string
	Policy                         string
	BypassPolicyLockoutSafetyCheck bool
}

type enableBody struct{ KeyId string }

// Apply runs one step on one key. core.ErrRejected: KMS will not have this
// policy, from whomever. core.ErrDenied: it will not have it from us.
// core.ErrConflict: the key is in another state than the step was made for. Any
// other error leaves open whether the step was done.
func (k *Keeper) Apply(ctx context.Context, key core.Key, s core.Step) error {
	if err := k.here(key.ID); err != nil {
		return err
	}
	if s.ID != key.ID {
		return adapter.Unsent("%s is a step for %s, not for %s", s.Op, s.ID, key.ID)
	}
	var err error
	switch s.Op {
	case "PutKeyPolicy":
		err = k.put(ctx, s)
	case "EnableKey":
		err = k.enable(ctx, s)
	default:
		err = adapter.Unsent("no such step on AWS")
	}
	return adapter.Done(s, err)
}

func (k *Keeper) put(ctx context.Context, s core.Step) error {
	var b putBody
	if err := strict.Unmarshal(s.Body, &b); err != nil {
		return adapter.Unsent("body: %w", err)
	}
	if b.KeyId != s.ID || b.PolicyName != policyName || b.Policy == "" || b.BypassPolicyLockoutSafetyCheck {
		return adapter.Unsent("body must name the step's key, the policy %q and its text, and keep the lockout safety check", policyName)
	}
	in := &kms.PutKeyPolicyInput{KeyId: &s.ID, PolicyName: aws.String(policyName), Policy: &b.Policy, BypassPolicyLockoutSafetyCheck: false}
	_, err := try(ctx, k.opts, k.opts.Reserve, func(ctx context.Context) (*kms.PutKeyPolicyOutput, error) {
		return k.client.PutKeyPolicy(ctx, in, once)
	})
	return err
}

func (k *Keeper) enable(ctx context.Context, s core.Step) error {
	var b enableBody
	if err := strict.Unmarshal(s.Body, &b); err != nil {
		return adapter.Unsent("body: %w", err)
	}
	if b.KeyId != s.ID {
		return adapter.Unsent("body must name the step's key")
	}
	in := &kms.EnableKeyInput{KeyId: &s.ID}
	_, err := try(ctx, k.opts, k.opts.Reserve, func(ctx context.Context) (*kms.EnableKeyOutput, error) { return k.client.EnableKey(ctx, in, once) })
	return err
}
