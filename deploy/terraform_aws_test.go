package deploy_test

import (
	"testing"

	"byokwatch/deploy/deploytest"
)

// The module is tested here because deploy/aws is another Go module.
func TestTerraformOfAWS(t *testing.T)        { deploytest.Check(t, "aws/terraform") }
func TestTerraformExampleOfAWS(t *testing.T) { deploytest.Check(t, "aws/terraform/example") }
