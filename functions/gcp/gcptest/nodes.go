package gcptest

import (
	"fmt"
	"strings"

	"byokwatch/core/watchdog/chaostest"
)

// getNode shows a project, folder or organisation
// (https://docs.cloud.google.com/resource-manager/reference/rest/v3/projects).
func getNode(c *Cloud, k *call) (any, *failure) {
	kind, id, _ := strings.Cut(k.resource, "/")
	switch kind {
	case "projects":
		out := map[string]any{"name": "projects/" + numberOf(id), "projectId": id, "state": "ACTIVE", "displayName": id}
		if p := c.parents[k.resource]; p != "" {
			out["parent"] = p
		}
		return out, nil
	case "folders":
		return map[string]any{"name": k.resource, "parent": c.parents[k.resource], "state": "ACTIVE", "displayName": id}, nil
	}
	return map[string]any{"name": k.resource, "displayName": id, "state": "ACTIVE"}, nil
}

// numberOf is a project's number: in answers, Resource Manager names projects
// by it.
func numberOf(id string) string {
	return fmt.Sprint(100_000_000_000 + chaostest.Hash(0, "project", id, 0)%900_000_000_000)
}
