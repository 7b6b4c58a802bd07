package keyvault

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"byokwatch/core"
	"byokwatch/core/confluent"
	"byokwatch/core/strict"
	"byokwatch/functions/adapter"
)

// assignBody is the body of a role assignment
// (https://learn.microsoft.com/rest/api/authorization/role-assignments/create).
type assignBody struct {
	Properties struct {
		RoleDefinitionID string `json:"roleDefinitionId"`
		PrincipalID      string `json:"principalId"`
		PrincipalType    string `json:"principalType"`
		Condition        string `json:"condition"`
		ConditionVersion string `json:"conditionVersion"`
	} `json:"properties"`
}

// assign makes a role assignment at the vault. Whoever may make one could make
// any, so what this one may be is checked here once more: one of the two roles
// that Confluent asks for, for Confluent.
func (j job) assign(ctx context.Context) error {
	var b assignBody
	if err := j.body(&b); err != nil {
		return err
	}
	name := below(j.step.ID, j.at.vault+ofAssignments)
	if !guid.MatchString(name) {
		return adapter.Unsent("the step is for another resource than a role assignment at %s", j.at.vault)
	}
	want := b.Properties
	role := below(want.RoleDefinitionID, j.at.subscription+ofRoles)
	switch {
	case !slices.ContainsFunc(confluent.AzureRoles(), func(r confluent.AzureRole) bool { return r.ID == role }):
		return adapter.Unsent("%.200q is none of the roles that Confluent asks for", want.RoleDefinitionID)
	case want.PrincipalType != "ServicePrincipal":
		// Azure looks nobody up then, who may be too new to be found everywhere.
		// https://learn.microsoft.com/azure/role-based-access-control/troubleshooting#symptom---assigning-a-role-to-a-new-principal-sometimes-fails
		return adapter.Unsent("the type of the principal must be ServicePrincipal")
	}
	if err := j.isConfluent(want.PrincipalID); err != nil {
		return err
	}
	err := j.send(ctx, http.MethodPut, j.at.vault+ofAssignments+name, rightsAPI)
	if hasCode(err, assignmentExists) {
		return j.standing(ctx, role, b, err)
	}
	return err
}

// standing is nil if the assignment to be made is there by another name, as Azure
// says. One with another condition is not what is wanted, and no repetition will
// get past it.
func (j job) standing(ctx context.Context, role string, want assignBody, exists error) error {
	list, err := assignmentsOf(ctx, j.arm, j.opts.Reserve, j.at.vault, want.Properties.PrincipalID)
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("look for the assignment that exists: %v", err) // a refusal to look is none of the step
	}
	if err != nil {
		return err
	}
	for _, item := range list {
		var a struct {
			Scope            string `json:"scope"`
			PrincipalID      string `json:"principalId"`
			RoleDefinitionID string `json:"roleDefinitionId"`
			Condition        string `json:"condition"`
		}
		if err := strict.UnmarshalOpen(json.RawMessage(item), &a); err != nil {
			return fmt.Errorf("look for the assignment that exists: %w: %w", errAnswer, err)
		}
		if !strings.EqualFold(a.Scope, j.at.vault) || !strings.EqualFold(a.PrincipalID, want.Properties.PrincipalID) || lastOf(a.RoleDefinitionID) != role {
			continue
		}
		if a.Condition != want.Properties.Condition {
			return fmt.Errorf("the role is assigned with another condition: %w: %v", core.ErrRejected, exists)
		}
		return nil
	}
	return exists
}
