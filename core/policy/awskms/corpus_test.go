package awskms_test

import (
	"testing"

	"byokwatch/core"
	"byokwatch/core/policy/awskms"
	"byokwatch/core/policy/policytest"
)

func TestTheCorpus(t *testing.T) {
	suite := policytest.Suite{
		Judge: awskms.Judge,
		Needs: awskms.Needs,
		Cloud: core.AWS,
		Documents: map[string]core.Kind{
			"policy.json": core.KeyPolicy,
			"key.json":    core.KeyMetadata,
		},
		Sources: []string{"https://docs.aws.amazon.com/", "https://docs.confluent.io/", "https://repost.aws/knowledge-center/"},
	}
	suite.Run(t, "testdata/*.txtar", 650)
}
