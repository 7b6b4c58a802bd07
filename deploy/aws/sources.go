package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
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
	Scopes Scopes            `json:"scopes"`
	Labels map[string]string `json:"labels"`
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
