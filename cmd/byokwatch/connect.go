package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"byokwatch/core"
	"byokwatch/core/config"
	"byokwatch/core/record"
	"byokwatch/core/record/dirstore"
	"byokwatch/functions/aws/kms"
)

const defaultConfig = "byokwatch.yaml"

var errNoConfig = errors.New("there is no configuration")

// source is where a command finds its configuration and records.
type source struct {
	config  string
	noStore bool
}

func (s *source) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.config, "config", "", "configuration `FILE` (default $BYOKWATCH_CONFIG, else "+defaultConfig+")")
}

func (s *source) storeFlag(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&s.noStore, "no-store", false, "judge without snapshots: for the time before a store is there")
}

// config reads the configuration. One that the environment pins by its sum is
// verified first.
func (a *app) config(s source) (*config.Config, error) {
	name, sum := s.config, ""
	if name == "" {
		name, sum = a.env("BYOKWATCH_CONFIG"), a.env("BYOKWATCH_CONFIG_SHA256")
	}
	if u, err := url.Parse(name); err == nil && strings.Contains(name, "://") {
		if u.Scheme != "file" || u.Host != "" {
			return nil, usagef("the configuration %s is not a file: download it and name the file with --config", name)
		}
		name = u.Path
	}
	name = cmp.Or(name, defaultConfig)
	data, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w %s: name one with --config, or set BYOKWATCH_CONFIG", errNoConfig, name)
	}
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	if sum != "" {
		if err := config.Verify(data, sum); err != nil {
			return nil, err
		}
	}
	cfg, err := config.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("configuration %s:\n%w", name, err)
	}
	return cfg, nil
}

// chosen are the configured keys that arguments name, all of them without any.
func chosen(cfg *config.Config, names []string) ([]core.Key, error) {
	keys := cfg.Keys
	if len(names) > 0 {
		keys = nil
		seen := map[string]bool{}
		for _, name := range names {
			k, err := cfg.Find(name)
			if err != nil {
				return nil, err
			}
			if !seen[k.ID] {
				seen[k.ID] = true
				keys = append(keys, k)
			}
		}
	}
	return keys, nil
}

// one is the key that a command is about.
func (a *app) one(s source, name string) (*config.Config, core.Key, error) {
	cfg, err := a.config(s)
	if err != nil {
		return nil, core.Key{}, err
	}
	keys, err := chosen(cfg, []string{name})
	if err != nil {
		return nil, core.Key{}, err
	}
	return cfg, keys[0], nil
}

// access says what a command wants of a store.
type access int

const (
	reading  access = iota // of records, snapshots and requests
	ordering               // also writes requests
	serving                // is the function: also writes records and snapshots
)

// store opens where the records of a cloud's keys are.
func (a *app) store(ctx context.Context, cfg *config.Config, cloud core.Cloud, s source, want access) (*record.Store, error) {
	if s.noStore {
		return record.NewStore(nothing{}, nil), nil
	}
	signing, err := a.signing(ctx, cfg, want)
	if err != nil {
		return nil, err
	}
	objects, err := a.objects(ctx, cfg, cloud, want)
	if err != nil {
		return nil, err
	}
	return record.NewStore(objects, signing), nil
}

func (a *app) objects(ctx context.Context, cfg *config.Config, cloud core.Cloud, want access) (record.Objects, error) {
	place, err := config.ParseStore(cfg.Store[cloud])
	if err != nil {
		return nil, err
	}
	if place.Scheme != "file" {
		return mustPlatform(cloud).objects(ctx, a, place, cfg.KeysOf(cloud))
	}
	if _, err := os.Stat(place.Dir); errors.Is(err, fs.ErrNotExist) && want == reading {
		return nothing{}, nil // nothing was recorded yet, and reading makes no directory
	}
	return dirstore.New(place.Dir)
}

// signing verifies snapshots, and only where the command is the function seals
// them as well.
func (a *app) signing(ctx context.Context, cfg *config.Config, want access) (*record.Signing, error) {
	if cfg.Signing == nil {
		return nil, nil
	}
	public, err := record.ParsePublicKey(cfg.Signing.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("signing.public_key: %w", err)
	}
	s := &record.Signing{Public: public}
	if want != serving {
		return s, nil
	}
	if arn, ok := cfg.Signing.KMSKey(); ok {
		clients, err := a.aws(ctx)
		if err != nil {
			return nil, err
		}
		s.Sign = kms.Signer(clients.kms(regionOf(arn)), arn)
		return s, nil
	}
	pem, err := os.ReadFile(filepath.Clean(cfg.Signing.Key))
	if err != nil {
		return nil, fmt.Errorf("signing.key: %w", err)
	}
	if s.Sign, err = record.KeyFileSigner(pem); err != nil {
		return nil, fmt.Errorf("signing.key: %w", err)
	}
	return s, nil
}

// nothing is the store before there is one.
type nothing struct{}

func (nothing) Get(_ context.Context, name string) (record.Object, error) {
	return record.Object{}, fmt.Errorf("%s: %w", name, core.ErrNotFound)
}

func (nothing) Put(context.Context, string, []byte, string) (string, error) {
	return "", errors.New("there is no store")
}

func (nothing) List(context.Context, string) ([]string, error) { return nil, nil }
