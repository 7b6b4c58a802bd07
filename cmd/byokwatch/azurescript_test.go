package main

import (
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"byokwatch/functions/azure/azuretest"
)

const (
	azureJane    = "1a0e0000-0000-4000-8000-0000000001a0"
	azureNobody  = "0b0d0000-0000-4000-8000-000000000b0d"
	azureSP      = "5c0f1a1e-0000-4000-8000-00000000c0f1"
	azureRights  = "/subscriptions/" + azuretest.DefaultSubscription + "/resourceGroups/rg-kafka"
	azureVaultID = azureRights + "/providers/Microsoft.KeyVault/vaults/acme-vault"
	azureUseRole = "Key Vault Crypto Service Encryption User"
	azureLook    = "Key Vault Reader"
)

type azureCloudKey struct{}

// azureContainer is the one that a script's records are in.
const azureContainer = "byokwatch"

// Scripts whose records are in Blob Storage, which Azurite stands in for.
func TestScriptsInAzurite(t *testing.T) {
	azurite := azuretest.NeedAzurite(t)
	if _, err := azurite.Container(t.Context(), azureContainer); err != nil {
		t.Fatal(err)
	}
	runScripts(t, "testdata/azurite", func(env *testscript.Env) error {
		env.Setenv("BYOKWATCH_BLOB_ENDPOINT", azurite.Endpoint)
		return setup(env)
	})
}

// setupAzure makes the Azure of one script: the vault acme-vault, with Azure RBAC
// and the keys ledger and stock, and acme-legacy, with access policies and the
// key legacy. Whoever shows no token, or the one that is worth nothing, is jane.
func setupAzure(env *testscript.Env) error {
	cloud := azuretest.New(azuretest.Options{})
	cloud.AddPrincipal(azuretest.Principal{ObjectID: azureJane, Type: azuretest.User, Name: "Jane", UPN: "jane@acme.example"})
	cloud.AddPrincipal(azuretest.Principal{ObjectID: azureNobody, Type: azuretest.User, Name: "Nobody", UPN: "nobody@acme.example"})
	cloud.AddPrincipal(azuretest.Principal{ObjectID: azureSP, Name: "Confluent Cloud"})
	cloud.Login(azuretest.Caller{Token: "admin", ObjectID: azureJane})
	azureLogin(cloud, azureJane)
	cloud.Assign(azuretest.Assignment{Scope: azureRights, Role: "Owner", Principal: azureJane})
	cloud.Assign(azuretest.Assignment{Scope: azureRights, Role: "Key Vault Crypto Officer", Principal: azureJane})

	vault := cloud.AddVault(azuretest.VaultSpec{Name: "acme-vault", RBAC: true})
	for _, name := range []string{"ledger", "stock"} {
		env.Setenv(strings.ToUpper(name), cloud.AddKey(azuretest.KeySpec{Vault: vault, Name: name, Versions: 2}))
	}
	for _, role := range []string{azureUseRole, azureLook} {
		cloud.Assign(azuretest.Assignment{Scope: vault, Role: role, Principal: azureSP})
	}
	legacy := cloud.AddVault(azuretest.VaultSpec{Name: "acme-legacy", Policies: []azuretest.AccessPolicy{
		{ObjectID: azureSP, Keys: []string{"get", "list", "wrapKey", "unwrapKey"}}, {ObjectID: azureJane, Keys: []string{"all"}},
	}})
	env.Setenv("LEGACY", cloud.AddKey(azuretest.KeySpec{Vault: legacy, Name: "legacy"}))

	// Whoever runs the tests may be logged in: no script gets at that.
	bin := filepath.Join(env.WorkDir, ".bin")
	az := "#!/bin/sh\necho \"ERROR: Please run 'az login' to setup account.\" >&2\nexit 1\n"
	if err := errors.Join(os.MkdirAll(bin, 0o700), os.WriteFile(filepath.Join(bin, "az"), []byte(az), 0o700)); err != nil {
		return err
	}
	env.Setenv("PATH", bin+string(os.PathListSeparator)+env.Getenv("PATH"))

	server := httptest.NewServer(cloud)
	env.Defer(server.Close)
	env.Values[azureCloudKey{}] = cloud
	for name, value := range map[string]string{
		"BYOKWATCH_MANAGEMENT_ENDPOINT": server.URL, "BYOKWATCH_KEYVAULT_ENDPOINT": server.URL,
		"VAULT": vault, "LEGACYVAULT": legacy, "GROUP": azureRights, "SP": azureSP, "TENANT": azuretest.DefaultTenant,
	} {
		env.Setenv(name, value)
	}
	return nil
}

func azureLogin(cloud *azuretest.Cloud, objectID string) {
	for _, token := range []string{"", azuretest.LocalToken} {
		cloud.Login(azuretest.Caller{Token: token, ObjectID: objectID})
	}
}

// azureCommand does what somebody else does meanwhile, or asks the emulator,
// which knows nothing of the judge:
//
//	azure can KEY                    Confluent's service principal can use the key
//	azure unassign VAULT|GROUP       Confluent's assignments there are deleted
//	azure assign VAULT|GROUP ROLE    Confluent is assigned a role there
//	azure policies VAULT [PERMISSION...]  Confluent's access policy is replaced
//	azure tag VAULT NAME=VALUE       a tag is set
//	azure disable KEY [oldest]       a version, without the word the current one; and enable
//	azure used PERMISSION            somebody used a permission
//	azure login OBJECT-ID            whoever shows no token of worth is this one
func azureCommand(ts *testscript.TestScript, neg bool, args []string) {
	cloud := ts.Value(azureCloudKey{}).(*azuretest.Cloud)
	on, jane := args[1], cloud.As("admin")
	if id := ts.Getenv(strings.ToUpper(on)); id != "" {
		on = id
	}
	var err error
	switch args[0] {
	case "login":
		azureLogin(cloud, args[1])
	case "can":
		if err := cloud.Works(azureSP, "dedicated", on); (err != nil) != neg {
			ts.Fatalf("Confluent can use %s: %v", args[1], err)
		}
		return
	case "used":
		if used := slices.ContainsFunc(cloud.Uses(), func(u azuretest.Use) bool { return u.Permission == args[1] }); used == neg {
			ts.Fatalf("%s was used: %t", args[1], used)
		}
		return
	case "unassign":
		for _, a := range cloud.Assignments(on, azureSP) {
			if err == nil && strings.EqualFold(a.Scope, on) {
				err = jane.DeleteAssignment(a.Scope + "/providers/Microsoft.Authorization/roleAssignments/" + a.Name)
			}
		}
	case "assign":
		_, err = jane.AssignRole(azuretest.Assignment{Scope: on, Role: strings.Join(args[2:], " "), Principal: azureSP})
	case "policies":
		list := []azuretest.AccessPolicy{{ObjectID: azureJane, Keys: []string{"all"}}}
		if len(args) > 2 {
			list = append(list, azuretest.AccessPolicy{ObjectID: azureSP, Keys: args[2:]})
		}
		err = jane.SetAccessPolicies(on, list...)
	case "tag":
		name, value, _ := strings.Cut(args[2], "=")
		err = jane.TagVault(on, "Merge", map[string]string{name: value})
	case "disable", "enable":
		version := ""
		if len(args) > 2 {
			version = cloud.Versions(on)[0]
		}
		err = jane.SetKeyEnabled(on, version, args[0] == "enable")
	default:
		ts.Fatalf("azure %s: unknown", args[0])
	}
	if (err != nil) != neg {
		ts.Fatalf("azure %s: %v", strings.Join(args, " "), err)
	}
}
