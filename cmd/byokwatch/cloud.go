package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"byokwatch/core"
	"byokwatch/core/config"
	"byokwatch/core/policy/awskms"
	"byokwatch/core/policy/azurekv"
	"byokwatch/core/policy/gcpkms"
	"byokwatch/core/record"
	"byokwatch/core/share"
	"byokwatch/core/watchdog"
)

// platform is all that the commands need to know of one cloud: how its keys are
// judged, how they are reached, and a few words.
type platform struct {
	title     string // for people
	rules     watchdog.Rules
	recognise func(data []byte) ([]core.Document, error)
	// gather makes one policy of recognised files, and says of which key.
	gather func(files []file, k core.Key) (core.Policy, core.Key, error)
	// hints are what a person should know beside the findings about files.
	hints func(p core.Policy, k core.Key, j core.Judgement, verdict core.State) []string
	// given is the key that flags describe.
	given func(f checkFlags) (core.Key, error)

	revoke              func(live core.Policy, q core.Question, reason string) (core.Candidate, error)
	reinstate           func(live core.Policy, q core.Question) (core.Candidate, error)
	revoked, notRevoked error

	// policy is the document that people think of as the key's policy.
	policy func(k core.Key, p core.Policy) (core.Document, bool)
	list   string // where in it a Fragment goes
	// decides says that without a document nothing can be said about the key.
	decides func(k core.Key, d core.Document) bool
	// partial warns that a snapshot has not all of that document.
	partial string

	keys    func(ctx context.Context, a *app) (watchdog.Cloud, error)
	objects func(ctx context.Context, a *app, place config.Location, keys []core.Key) (record.Objects, error)
	// self is the watchdog's own identity, "" if what is set is another cloud's.
	self func(id string) string

	// How a write is confirmed, as by the function.
	reads         int
	every, settle time.Duration
}

// platformOf is the table of the clouds.
func platformOf(cloud core.Cloud) (platform, bool) {
	switch cloud {
	case core.AWS:
		return platform{
			title: "AWS KMS",
			rules: watchdog.Rules{
				Needs: awskms.Needs, Judge: awskms.Judge, Candidates: awskms.Candidates, Guard: awskms.Guard,
				Trim: awskms.Trim, Diff: awskms.Diff, Fragment: awskms.Fragment, Unlock: awskms.Unlock,
			},
			recognise: awskms.RecogniseAll, gather: gatherAWS, hints: hintsAWS, given: checkFlags.awsKey,
			revoke: awskms.Revoke, reinstate: awskms.Reinstate, revoked: awskms.ErrRevoked, notRevoked: awskms.ErrNotRevoked,
			policy: onKey(core.KeyPolicy), list: "Statement", decides: isKeys,
			keys: awsKeys, objects: awsObjects,
			self: roleSelf,
			// https://docs.aws.amazon.com/kms/latest/developerguide/accessing-kms.html#programming-eventual-consistency
			reads: 5, every: time.Second, settle: 5 * time.Minute,
		}, true
	case core.Azure:
		return platform{
			title: "Azure Key Vault",
			rules: watchdog.Rules{
				Needs: azurekv.Needs, Judge: azurekv.Judge, Candidates: azurekv.Candidates, Guard: azurekv.Guard,
				Trim: azurekv.Trim, Diff: azurekv.Diff, Fragment: azurekv.Fragment, Unlock: azurekv.Unlock, Explains: azurekv.Explains,
			},
			recognise: recogniseAzure, gather: gatherAzure, hints: hintsAzure, given: checkFlags.azureKey,
			revoke: finishing(azurekv.Revoke, azurekv.Reinstate, azurekv.ErrRevoked), reinstate: azurekv.Reinstate, revoked: azurekv.ErrRevoked, notRevoked: azurekv.ErrNotRevoked,
			policy: policyAzure, list: "the template of the vault", decides: decidesAzure,
			partial: "this is what the snapshot keeps: what reaches Confluent, and nobody else's. Give it back with az role assignment create, or az keyvault set-policy, which replaces all key permissions of that one identity",
			keys:    azureKeys, objects: azureObjects,
			self: objectSelf,
			// https://learn.microsoft.com/azure/role-based-access-control/troubleshooting
			reads: 3, every: 2 * time.Second, settle: 10 * time.Minute,
		}, true
	case core.GCP:
		return platform{
			title: "Google Cloud KMS",
			rules: watchdog.Rules{
				Needs: gcpkms.Needs, Judge: gcpkms.Judge, Candidates: gcpkms.Candidates, Guard: gcpkms.Guard,
				Trim: gcpkms.Trim, Diff: gcpkms.Diff, Fragment: gcpkms.Fragment, Unlock: gcpkms.Unlock,
			},
			recognise: gcpkms.RecogniseAll, gather: gatherGCP, hints: hintsGCP, given: checkFlags.gcpKey,
			revoke: finishing(gcpkms.Revoke, gcpkms.Reinstate, gcpkms.ErrRevoked), reinstate: gcpkms.Reinstate, revoked: gcpkms.ErrRevoked, notRevoked: gcpkms.ErrNotRevoked,
			policy: onKey(core.IAMPolicy), list: "bindings", decides: isKeys,
			partial: "this is what the snapshot keeps of the key's IAM policy: the bindings of Confluent's group and of everybody. Add them with gcloud kms keys add-iam-policy-binding; set-iam-policy with it would remove everybody else",
			keys:    gcpKeys, objects: gcpObjects,
			self: accountSelf,
			// https://docs.cloud.google.com/iam/docs/access-change-propagation
			reads: 3, every: 2 * time.Second, settle: 7 * time.Minute,
		}, true
	}
	return platform{}, false
}

// mustPlatform is the platform of a key that the configuration or a flag names.
func mustPlatform(cloud core.Cloud) platform {
	p, ok := platformOf(cloud)
	if !ok {
		panic("no platform " + string(cloud)) // an error of this program
	}
	return p
}

// reached are the clouds of the table, in the order in which people see them.
func reached() []core.Cloud { return []core.Cloud{core.AWS, core.Azure, core.GCP} }

// onKey finds the document of a kind that is the key's own.
func onKey(kind core.Kind) func(core.Key, core.Policy) (core.Document, bool) {
	return func(k core.Key, p core.Policy) (core.Document, bool) {
		i := slices.IndexFunc(p, func(d core.Document) bool { return d.Kind == kind && d.ID == k.ID })
		if i < 0 {
			return core.Document{}, false
		}
		return p[i], true
	}
}

// roleSelf takes the ARN of a role.
func roleSelf(id string) string {
	if !strings.HasPrefix(id, "arn:") {
		return ""
	}
	return id
}

// isKeys says that a document is the key's own, and not of what is above it.
func isKeys(k core.Key, d core.Document) bool { return d.ID == k.ID }

// fleet is the loop of the functions over keys of several clouds: a watchdog for
// each, or the reason why there is none.
type fleet struct {
	watchdogs map[core.Cloud]*watchdog.Watchdog
	errs      map[core.Cloud]error
}

// fleet makes the watchdogs of some keys. Where the keys are of one cloud, what
// it lacks is the error; one of several clouds that can't be reached must not
// hide the others.
func (a *app) fleet(ctx context.Context, cfg *config.Config, keys []core.Key, s source, want access, to []watchdog.Notifier, log *slog.Logger) (fleet, error) {
	f := fleet{map[core.Cloud]*watchdog.Watchdog{}, map[core.Cloud]error{}}
	for cloud, of := range byCloud(keys) {
		w, err := a.watchdog(ctx, cfg, cloud, of, s, want, to, log)
		if err != nil && len(of) == len(keys) {
			return f, err
		}
		f.watchdogs[cloud], f.errs[cloud] = w, err
	}
	return f, nil
}

func byCloud(keys []core.Key) map[core.Cloud][]core.Key {
	out := map[core.Cloud][]core.Key{}
	for _, k := range keys {
		out[k.Cloud] = append(out[k.Cloud], k)
	}
	return out
}

// watchdog is the loop over keys of one cloud, wherever in it they are.
// BYOKWATCH_SELF names the function whose rights are judged; without it they are
// not.
func (a *app) watchdog(ctx context.Context, cfg *config.Config, cloud core.Cloud, keys []core.Key, s source, want access, to []watchdog.Notifier, log *slog.Logger) (*watchdog.Watchdog, error) {
	p := mustPlatform(cloud)
	store, err := a.store(ctx, cfg, cloud, s, want)
	if err != nil {
		return nil, err
	}
	reach, err := p.keys(ctx, a)
	if err != nil {
		return nil, err
	}
	c := watchdog.Config{
		Cloud: reach, Rules: p.rules, Store: store, Notifiers: to, Keys: keys, Self: p.self(a.env("BYOKWATCH_SELF")), Now: a.now, Log: log,
		Reads: p.reads, Every: p.every, Settle: p.settle,
	}
	if e, ok := reach.(expecter); ok {
		c.Expect = e.expect
	}
	return watchdog.New(c)
}

// expecter is a cloud in which what a snapshot names may have to be read as well.
type expecter interface {
	expect(k core.Key, good core.Policy)
}

// preview looks at one key.
func (f fleet) preview(ctx context.Context, k core.Key) look {
	if err := f.errs[k.Cloud]; err != nil {
		return look{key: k, err: err}
	}
	s, p, err := f.watchdogs[k.Cloud].Preview(ctx, k)
	return look{key: k, sight: s, plan: p, err: err}
}

// sweep is one pass of every watchdog, in the order of the clouds. What one
// can't do does not keep the others from their keys.
func (f fleet) sweep(ctx context.Context, now time.Time) []error {
	var errs []error
	for _, cloud := range reached() {
		if err := f.errs[cloud]; err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", mustPlatform(cloud).title, err))
		}
		if w := f.watchdogs[cloud]; w != nil {
			id := fmt.Sprintf("cli-%s-%d-%d", cloud, os.Getpid(), now.UnixNano())
			errs = append(errs, w.Handle(share.WithPass(ctx, time.Now), id, w.Sweep(id, now)...))
		}
	}
	return slices.DeleteFunc(errs, func(err error) bool { return err == nil })
}
