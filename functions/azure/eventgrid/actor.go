package eventgrid

import (
	"cmp"
	"strings"

	"byokwatch/core"
	"byokwatch/core/loose"
)

// The claims of a token that say who somebody is, under the names of the two
// versions of tokens:
// https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference
var (
	claimsOfID = []string{"http://schemas.microsoft.com/identity/claims/objectidentifier", "oid"}
	// A person's name to sign in with, else to be called by.
	claimsOfName = []string{
		"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn", "upn", "preferred_username",
		"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name", "unique_name", "name",
	}
	claimsOfApplication = []string{"appid", "azp"}
	claimsOfAddress     = []string{"ipaddr"}
)

// applications are those through which people call Azure, by client ID:
// https://learn.microsoft.com/troubleshoot/entra/entra-id/governance/verify-first-party-apps-sign-in
var applications = map[string]string{
	"04b07795-8ddb-461a-bbee-02f9e1bf7b46": "Azure CLI",
	"1950a258-227b-4e31-a9cf-717495945fc2": "Azure PowerShell",
	"c44b4083-3bb0-49c1-b47d-974e53cbdf3c": "Azure portal",
}

// actor says who an event names. Who has no name of a person is an application,
// known by its client ID; otherwise the application is what the person went
// through.
func actor(data loose.Object) core.Actor {
	claims, request := data.Unwrapped("claims"), data.Unwrapped("httpRequest")
	application := strings.ToLower(first(claims, claimsOfApplication))
	a := core.Actor{
		ID:      loose.Cut(strings.ToLower(first(claims, claimsOfID))),
		Name:    loose.Cut(first(claims, claimsOfName)),
		Address: loose.Cut(cmp.Or(first(claims, claimsOfAddress), request.Text("clientIpAddress"))),
	}
	if a.Name == "" {
		a.Name = loose.Cut(application)
		return a
	}
	a.Via = loose.Cut(cmp.Or(applications[application], application))
	return a
}

// first is the first of some claims that is there.
func first(claims loose.Object, names []string) string {
	for _, name := range names {
		if s := claims.Text(name); s != "" {
			return s
		}
	}
	return ""
}
