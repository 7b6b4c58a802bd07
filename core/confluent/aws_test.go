package confluent_test

import (
	"path"
	"testing"

	"byokwatch/core/confluent"
)

func TestThePublishedStatementsGiveEveryPermission(t *testing.T) {
	for _, p := range confluent.AWSPermissions() {
		given := 0
		for _, s := range confluent.AWSStatements() {
			for _, pattern := range s.Actions {
				if ok, err := path.Match(pattern, p.Name); err != nil {
					t.Fatal(err)
				} else if ok {
					given++
				}
			}
		}
		if given != 1 {
			t.Errorf("%s is given by %d of the published actions, want exactly 1", p.Name, given)
		}
	}
}

func TestEveryPublishedActionIsNeeded(t *testing.T) {
	for _, s := range confluent.AWSStatements() {
		for _, pattern := range s.Actions {
			needed := false
			for _, p := range confluent.AWSPermissions() {
				ok, err := path.Match(pattern, p.Name)
				if err != nil {
					t.Fatal(err)
				}
				needed = needed || ok
			}
			if !needed {
				t.Errorf("%s in %q gives nothing that is needed", pattern, s.Sid)
			}
		}
	}
}

func TestTheBlockStorageRoleIsInConfluentsAccount(t *testing.T) {
	const want = "arn:aws-us-gov:iam::152535741197:role/aws:ec2-infrastructure*"
	if got := confluent.AWSBlockStorageRole("aws-us-gov", "152535741197"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
