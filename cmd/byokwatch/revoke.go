package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"byokwatch/core"
	"byokwatch/core/config"
	"byokwatch/core/record"
)

func (a *app) revokeCommand() *cobra.Command {
	var o order
	var yes bool
	cmd := &cobra.Command{
		Use:   "revoke KEY --reason WHY",
		Short: "Take Confluent's access to a key away, until reinstate",
		Long: `Take Confluent's access to a key away, on purpose and without end. This writes the
key with your own credentials: on AWS a Deny for Confluent whose Sid begins
ByokwatchRevoked; on Azure the key's name in the vault's tag byokwatch-revoked, and
Confluent's role assignments at the vault, or its access policy, go; on Google Cloud
the label byokwatch-revoked, and Confluent's group goes from the bindings on the
key. KAFKA CLUSTERS ON THIS KEY STOP. The watchdog sees the mark, never undoes it,
and says so daily. Only reinstate ends it.`,
		Example: `  byokwatch revoke payments --reason "contract ended, SEC-812"
  byokwatch reinstate payments --reason "SEC-812 withdrawn"`,
		Args: keyArg,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.revoke(cmd.Context(), o, args[0], yes)
		},
	}
	o.flags(cmd)
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

func (a *app) reinstateCommand() *cobra.Command {
	var o order
	var yes bool
	cmd := &cobra.Command{
		Use:   "reinstate KEY --reason WHY",
		Short: "End a revocation",
		Long: `End a revocation: take the mark of revoke off the key with your own credentials,
and tell the watchdog that Confluent is to have its access again. On AWS what the
policy allowed before is then allowed again; on Azure and Google Cloud the watchdog
gives back what its snapshot shows. Where the mark is gone already, only the
watchdog is told.`,
		Example: `  byokwatch reinstate payments --reason "SEC-812 withdrawn"`,
		Args:    keyArg,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.reinstate(cmd.Context(), o, args[0], yes)
		},
	}
	o.flags(cmd)
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

func (a *app) revoke(ctx context.Context, o order, name string, yes bool) error {
	if err := o.needReason("it stands on the key for whoever finds Confluent locked out"); err != nil {
		return err
	}
	cfg, k, err := a.one(o.source, name)
	if err != nil {
		return err
	}
	live, err := a.live(ctx, k)
	if err != nil {
		return err
	}
	p := mustPlatform(k.Cloud)
	c, err := p.revoke(live, a.question(k, live), o.reason)
	if errors.Is(err, p.revoked) {
		return fmt.Errorf("%s is revoked already; end that with byokwatch reinstate", k.Name())
	}
	if err != nil {
		return err
	}
	a.printf("Revoking %s (%s). Kafka clusters on this key stop.\n", line(k.Name()), k.ID)
	for _, other := range sharers(cfg, k) {
		a.printf("  also      %s is in the same vault and used by the same principal: it loses its access as well, and the watchdog gives it back to neither while %s is revoked\n", line(other.Name()), line(k.Name()))
	}
	if err := a.write(ctx, k, live, c, yes); err != nil {
		return err
	}
	for _, f := range p.rules.Judge(c.Result, a.question(k, live)).Findings {
		if f.Aspect == core.Access && f.Result != core.Missing {
			return fmt.Errorf("%s is marked as revoked, and the watchdog leaves it alone, but Confluent still has access: take away what is listed as left out", k.Name())
		}
	}
	a.printf("Revoked: Confluent has no access to %s. The watchdog does not undo it; byokwatch reinstate %s does.\n", line(k.Name()), line(k.Name()))
	return nil
}

// sharers are the other keys that lose what a key loses: those of an Azure vault,
// where access is a matter of the vault, that the same principal uses.
func sharers(cfg *config.Config, k core.Key) []core.Key {
	var out []core.Key
	for _, other := range cfg.KeysOf(k.Cloud) {
		if k.Vault != "" && other.ID != k.ID && other.Vault == k.Vault && other.Needs.Principal == k.Needs.Principal {
			out = append(out, other)
		}
	}
	return out
}

func (a *app) reinstate(ctx context.Context, o order, name string, yes bool) error {
	if err := o.needReason("the watchdog tells it to everybody"); err != nil {
		return err
	}
	cfg, k, err := a.one(o.source, name)
	if err != nil {
		return err
	}
	live, err := a.live(ctx, k)
	if err != nil {
		return err
	}
	p := mustPlatform(k.Cloud)
	c, err := p.reinstate(live, a.question(k, live))
	switch {
	case errors.Is(err, p.notRevoked):
		a.printf("%s carries no mark of a revocation; only the watchdog is told.\n", line(k.Name()))
		if err := a.confirm(k, yes); err != nil {
			return err
		}
	case err != nil:
		return err
	default:
		a.printf("Reinstating %s (%s).\n", line(k.Name()), k.ID)
		if err := a.write(ctx, k, live, c, yes); err != nil {
			return err
		}
	}
	err = a.request(ctx, cfg, o, k, func(by, reason string) any { return record.Reinstate{By: by, Reason: reason} })
	if err != nil {
		return fmt.Errorf("the mark is off the key, but the watchdog could not be told and still holds it for revoked: %w", err)
	}
	a.printf("Reinstated: the watchdog looks after %s again from its next look on.\n", line(k.Name()))
	return nil
}

// question asks about Confluent's access to a key now.
func (a *app) question(k core.Key, live core.Policy) core.Question {
	return core.Question{Key: k, At: a.now(), Needs: mustPlatform(k.Cloud).rules.Needs(k, live, nil)}
}

var errNotConfirmed = errors.New("nothing was written")

// write shows what a candidate changes, asks, looks whether the key is still as
// it was, and applies the steps.
func (a *app) write(ctx context.Context, k core.Key, live core.Policy, c core.Candidate, yes bool) error {
	p := mustPlatform(k.Cloud)
	for _, d := range p.rules.Diff(live, c.Result) {
		a.printf("  %s\n", diffLine(d))
	}
	for _, left := range c.Left {
		a.printf("  left out: %s\n", line(left))
	}
	if err := a.confirm(k, yes); err != nil {
		return err
	}
	again, err := a.live(ctx, k)
	if err != nil {
		return err
	}
	q := a.question(k, live)
	if p.rules.Judge(again, q).Digest != p.rules.Judge(live, q).Digest {
		return fmt.Errorf("%s changed meanwhile, so nothing was written: run the command again", k.Name())
	}
	to, err := p.keys(ctx, a)
	if err != nil {
		return err
	}
	for i, s := range c.Steps {
		err := to.Apply(ctx, k, s)
		if err != nil && i > 0 {
			return fmt.Errorf("only %d of %d writes to %s were done, run the command again to finish: %s: %w", i, len(c.Steps), k.Name(), s.Op, err)
		}
		if err != nil {
			return fmt.Errorf("%s of %s: %w", s.Op, k.Name(), err)
		}
	}
	return nil
}

// confirm asks for the key's name, which nobody types by mistake.
func (a *app) confirm(k core.Key, yes bool) error {
	if yes {
		return nil
	}
	a.printf("Type %s to go on: ", line(k.Name()))
	answer, err := bufio.NewReader(a.stdin).ReadString('\n')
	if strings.TrimSpace(answer) != k.Name() {
		if err != nil {
			a.printf("\n")
		}
		return errNotConfirmed
	}
	return nil
}

// finishing is a cloud's revoke that also finishes what was begun: a key can
// carry the mark while Confluent still has access, where those are several
// writes.
func finishing(
	revoke func(live core.Policy, q core.Question, reason string) (core.Candidate, error),
	reinstate func(live core.Policy, q core.Question) (core.Candidate, error), revoked error,
) func(core.Policy, core.Question, string) (core.Candidate, error) {
	return func(live core.Policy, q core.Question, reason string) (core.Candidate, error) {
		c, err := revoke(live, q, reason)
		if !errors.Is(err, revoked) {
			return c, err
		}
		unmarked, again := reinstate(live, q)
		if again != nil {
			return c, err
		}
		rest, again := revoke(unmarked.Result, q, reason)
		if again != nil || len(rest.Steps) < 2 {
			return c, err
		}
		rest.Steps = rest.Steps[1:] // the mark is there
		return rest, nil
	}
}
