package azuretest

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/authorization/armauthorization/v2"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/keyvault/armkeyvault/v2"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"

	"byokwatch/core/watchdog/chaostest"
)

func (c *Cloud) AddPrincipal(p Principal) string                 { panic("soon") }
func (c *Cloud) AddGroup(objectID string, members ...string)     { panic("soon") }
func (c *Cloud) Join(group, member string)                       { panic("soon") }
func (c *Cloud) Leave(group, member string)                      { panic("soon") }
func (c *Cloud) DeletePrincipal(objectID string)                 { panic("soon") }
func (c *Cloud) Login(w Caller)                                  { panic("soon") }
func (c *Cloud) AddVault(v VaultSpec) string                     { panic("soon") }
func (c *Cloud) AddKey(k KeySpec) string                         { panic("soon") }
func (c *Cloud) AddCustomRole(r Role) string                     { panic("soon") }
func (c *Cloud) Assign(a Assignment) string                      { panic("soon") }
func (c *Cloud) Deny(d DenyAssignment) string                    { panic("soon") }
func (c *Cloud) Undeny(id string)                                { panic("soon") }
func (c *Cloud) AddStorage(account, group string) string         { panic("soon") }
func (c *Cloud) Versions(keyID string) []string                  { panic("soon") }
func (c *Cloud) Vault(id string) string                          { panic("soon") }
func (c *Cloud) Key(id string) string                            { panic("soon") }
func (c *Cloud) Assignments(scope, objectID string) []Assignment { panic("soon") }

func (c *Cloud) Can(objectID, action, resource string) (bool, string)     { panic("soon") }
func (c *Cloud) CanData(objectID, action, resource string) (bool, string) { panic("soon") }
func (c *Cloud) Works(objectID, cluster, keyID string) error              { panic("soon") }

func (c *Cloud) Uses() []Use                    { panic("soon") }
func (c *Cloud) Writes(resource string) []Write { panic("soon") }
func (c *Cloud) Events() []Event                { panic("soon") }
func (c *Cloud) Calls(op string) int            { return c.dice.Calls(op) }
func (c *Cloud) Inject(f chaostest.Fault)       { c.dice.Inject(f) }
func (c *Cloud) Heal()                          { c.dice.Heal() }
func (c *Cloud) SetOdds(o chaostest.Odds)       { c.dice.SetOdds(o) }

func (c *Cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) { panic("soon") }
func (c *Cloud) RoundTripper() http.RoundTripper                  { return InProcess(c) }
func InProcess(h http.Handler) http.RoundTripper                  { panic("soon") }
func Credential(token string) azcore.TokenCredential              { panic("soon") }
func (c *Cloud) ARM() arm.ClientOptions                           { panic("soon") }

type Clients struct {
	Vaults      *armkeyvault.VaultsClient
	Keys        *armkeyvault.KeysClient
	Assignments *armauthorization.RoleAssignmentsClient
	Definitions *armauthorization.RoleDefinitionsClient
	Deny        *armauthorization.DenyAssignmentsClient
	Vault       func(name string) *azkeys.Client
}

func (c *Cloud) Clients(token string) Clients { panic("soon") }

func (c *Cloud) Guard(upstream http.Handler, account, key string) http.Handler { panic("soon") }

type Event struct {
	ID, Type, Topic, Subject string
	Op, Resource, Caller     string
	At                       time.Time
	Data                     json.RawMessage
}

func (e Event) Grid() []byte  { panic("soon") }
func (e Event) Cloud() []byte { panic("soon") }

type Failure struct {
	Status        int
	Code, Message string
}

func (f *Failure) Error() string { return f.Code + ": " + f.Message }

type Person struct {
	c *Cloud
	w Caller
}

func (c *Cloud) As(token string) Person                                         { panic("soon") }
func (p Person) AssignRole(a Assignment) (string, error)                        { panic("soon") }
func (p Person) DeleteAssignment(id string) error                               { panic("soon") }
func (p Person) PutRole(r Role) error                                           { panic("soon") }
func (p Person) DeleteRole(guid string) error                                   { panic("soon") }
func (p Person) SetAccessPolicies(vault string, list ...AccessPolicy) error     { panic("soon") }
func (p Person) EditAccessPolicies(vault, kind string, l ...AccessPolicy) error { panic("soon") }
func (p Person) UpdateVault(vault string, properties map[string]any) error      { panic("soon") }
func (p Person) DeleteVault(vault string) error                                 { panic("soon") }
func (p Person) RecoverVault(vault string) error                                { panic("soon") }
func (p Person) PurgeVault(vault string) error                                  { panic("soon") }
func (p Person) TagVault(vault, operation string, tags map[string]string) error { panic("soon") }
func (p Person) SetKeyEnabled(key, version string, enabled bool) error          { panic("soon") }
func (p Person) UpdateKey(key, version string, attributes map[string]any) error { panic("soon") }
func (p Person) NewKeyVersion(key string) (string, error)                       { panic("soon") }
func (p Person) DeleteKey(key string) error                                     { panic("soon") }
func (p Person) RecoverKey(key string) error                                    { panic("soon") }
func (p Person) Do(method, path string, body any) ([]byte, error)               { panic("soon") }

type HostConfig struct {
	Dir            string       // of the app: host.json, <function>/function.json
	Binary         string       // "" is what host.json names
	Env            []string     // whole environment of the process but what the host adds
	Stdout, Stderr io.Writer    // nil drops it
	Handler        http.Handler // the handler in this process, instead of a process
}

type Host struct{}

func StartHost(cfg HostConfig) (*Host, error)                                   { panic("soon") }
func (h *Host) Ready(ctx context.Context) error                                 { panic("soon") }
func (h *Host) Starts() int                                                     { panic("soon") }
func (h *Host) Stop() error                                                     { panic("soon") }
func (h *Host) Tick(ctx context.Context) (Answer, error)                        { panic("soon") }
func (h *Host) Invoke(ctx context.Context, fn string, data any) (Answer, error) { panic("soon") }

type Answer struct {
	Invocation string
	Outputs    map[string]json.RawMessage
	Logs       []string
	Return     json.RawMessage
	Took       time.Duration
}

type Delivery struct {
	Copies     int
	Reverse    bool
	Attempts   int
	RetryAfter func(n int) time.Duration
}

type Outcome struct {
	Event    []byte
	Attempts []Attempt
}

func (o Outcome) OK() bool { panic("soon") }

type Attempt struct {
	Answer Answer
	Err    error
}

func (h *Host) Deliver(ctx context.Context, d Delivery, events ...[]byte) ([]Outcome, error) {
	panic("soon")
}
