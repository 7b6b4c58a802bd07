package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Deployment is what `byokwatch config deployment --cloud aws` prints: what the
// configuration wants of one account and Region.
type Deployment struct {
	Cloud        string `json:"cloud"`
	Account      string `json:"account"`
	Region       string `json:"region"`
	Mode         string `json:"mode"`
	SweepMinutes int    `json:"sweep_minutes"`
	Store        struct {
		Bucket string `json:"bucket"`
		Prefix string `json:"prefix"`
	} `json:"store"`
	Scopes  Scopes            `json:"scopes"`
	Secrets []string          `json:"secrets"` // ${NAME}s of the configuration
	Labels  map[string]string `json:"labels"`
}

// Scopes are the sets of resources that permissions.json names.
type Scopes struct {
	Keys       []string `json:"keys"`
	Observed   []string `json:"observed"`
	Enforced   []string `json:"enforced"`
	Enabling   []string `json:"enabling"`
	SigningKey []string `json:"signing-key"`
	Secrets    []string `json:"secrets"`
}

// readDeployment reads what the CLI printed.
func readDeployment(file string) (Deployment, error) {
	var d Deployment
	data, err := os.ReadFile(file)
	if err != nil {
		return d, fmt.Errorf("-c deployment=%s: %w: give the file with what `byokwatch config deployment --cloud aws --account A --region R byokwatch.yaml` printed", file, err)
	}
	r := json.NewDecoder(bytes.NewReader(data))
	r.DisallowUnknownFields() // printed by another version
	if err := r.Decode(&d); err != nil {
		return d, fmt.Errorf("-c deployment: %s: %w", file, err)
	}
	return d, nil
}

// check says what is wrong with a deployment.
func (d Deployment) check() error {
	switch {
	case d.Cloud != "aws":
		return fmt.Errorf("deployment: it is for cloud %q, not aws", d.Cloud)
	case !accountID.MatchString(d.Account) || !regionName.MatchString(d.Region):
		return fmt.Errorf("deployment: %q, %q are not an account and a Region", d.Account, d.Region)
	case d.Mode != "observe" && d.Mode != "enforce" || (d.Mode == "enforce") != (len(d.Scopes.Enforced) > 0):
		return fmt.Errorf("deployment: mode %q does not fit %d enforced keys", d.Mode, len(d.Scopes.Enforced))
	case d.SweepMinutes != 1 && d.SweepMinutes != 5:
		return fmt.Errorf("deployment: a sweep is each minute or each 5, not %d", d.SweepMinutes)
	case d.Store.Bucket == "":
		return errors.New("deployment: no bucket: set store.aws in the configuration")
	case len(d.Scopes.Keys) == 0:
		return fmt.Errorf("deployment: no key of account %s in %s: there is nothing to deploy", d.Account, d.Region)
	}
	for _, arn := range d.Scopes.Keys {
		if p := strings.Split(arn, ":"); len(p) != 6 || p[2] != "kms" || p[3] != d.Region || p[4] != d.Account {
			return fmt.Errorf("deployment: %s is no key of account %s in %s", arn, d.Account, d.Region)
		}
	}
	for _, s := range [][]string{d.Scopes.Enforced, d.Scopes.Enabling} {
		for _, arn := range s {
			if !slices.Contains(d.Scopes.Keys, arn) {
				return fmt.Errorf("deployment: %s is not among the keys", arn)
			}
		}
	}
	return nil
}

// Sources are the files of the function that the deployment is made from, so
// that neither a right nor an event is listed twice.
type Sources struct {
	Permissions Permissions
	Events      []Event
}

// Permissions is functions/aws/permissions.json.
type Permissions struct {
	Reading   []Right `json:"reading"`
	Restoring []Right `json:"restoring"`
	Platform  []Right `json:"platform"`
	Deny      []Right `json:"deny"`
}

// Right is one statement of the role, less its effect.
type Right struct {
	ID         string         `json:"id"`
	Actions    []string       `json:"actions"`
	NotActions []string       `json:"not_actions"`
	On         []string       `json:"on"`
	NotOn      []string       `json:"not_on"`
	Condition  map[string]any `json:"condition"`
}

// Event is an entry of functions/aws/events.json.
type Event struct {
	Source     string `json:"source"`
	DetailType string `json:"detail_type"`
	Name       string `json:"name"`
	Elsewhere  bool   `json:"elsewhere"`
	Kind       string `json:"kind"`
}

// functionDir is where the function is, seen from the directory of cdk.json,
// in which the CDK runs this program.
const functionDir = "../../functions/aws"

// readSources reads the function's own files.
func readSources(dir string) (Sources, error) {
	var s Sources
	if err := readJSON(filepath.Join(dir, "permissions.json"), &s.Permissions); err != nil {
		return s, err
	}
	return s, readJSON(filepath.Join(dir, "events.json"), &s.Events)
}

func readJSON(file string, into any) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("%w: run this in deploy/aws of a whole checkout", err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}
