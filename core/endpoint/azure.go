package endpoint

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"byokwatch/core/pattern"
)

// AzureCloud is one of the separate clouds that Azure is made of. They share no
// host, and a token of one is worth nothing in another.
type AzureCloud struct {
	Name       string
	Management string // where Azure Resource Manager is
	Audience   string // whom its tokens are for
	Authority  string // who makes them
	Vaults     string // what the hosts of vaults end in
	Blobs      string // what the hosts of storage accounts end in
}

// azureClouds: the first is the one that is meant where nothing else is said.
// Sources: the clouds of azcore (its packages cloud and arm/runtime) and
// https://learn.microsoft.com/azure/key-vault/general/about-keys-secrets-certificates#dns-suffixes-for-object-identifiers
// and https://learn.microsoft.com/azure/azure-government/compare-azure-government-global-azure.
var azureClouds = []AzureCloud{
	{"public", "https://management.azure.com", "https://management.core.windows.net/", "https://login.microsoftonline.com/", ".vault.azure.net", ".blob.core.windows.net"},
	{"US government", "https://management.usgovcloudapi.net", "https://management.core.usgovcloudapi.net/", "https://login.microsoftonline.us/", ".vault.usgovcloudapi.net", ".blob.core.usgovcloudapi.net"},
	{"China", "https://management.chinacloudapi.cn", "https://management.core.chinacloudapi.cn/", "https://login.chinacloudapi.cn/", ".vault.azure.cn", ".blob.core.chinacloudapi.cn"},
}

// AzureCloudAt is the cloud whose Azure Resource Manager is at an endpoint that
// passed [Azure]. An emulator, and no endpoint at all, are in the public one.
func AzureCloudAt(management string) AzureCloud {
	if u, err := url.Parse(management); err == nil {
		for _, c := range azureClouds {
			if strings.EqualFold("https://"+u.Hostname(), c.Management) {
				return c
			}
		}
	}
	return azureClouds[0]
}

// CheckAzure returns an error that names the first setting, in the order of its
// name, that points an Azure client anywhere else. environ has the form of
// os.Environ.
//
// It looks at BYOKWATCH_<SERVICE>_ENDPOINT for the services MANAGEMENT, KEYVAULT
// and BLOB, and at what Microsoft's library for identities reads by itself: who
// makes tokens, and what on this machine hands them out
// (https://pkg.go.dev/github.com/Azure/azure-sdk-for-go/sdk/azidentity).
func CheckAzure(environ []string) error {
	env := map[string]string{}
	for _, entry := range environ {
		if name, value, ok := strings.Cut(entry, "="); ok && value != "" {
			env[name] = value
		}
	}
	var names []string
	for name := range env {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if err := checkAzure(env, name); err != nil {
			return fmt.Errorf("%s is refused: %w", name, err)
		}
	}
	return nil
}

// region is what becomes the first part of a login host.
var region = pattern.New(`^[A-Za-z][A-Za-z0-9]{0,40}$`)

func checkAzure(env map[string]string, name string) error {
	value := env[name]
	switch name {
	case "AZURE_AUTHORITY_HOST":
		return authority(value)
	case "AZURE_REGIONAL_AUTHORITY_NAME", "MSAL_FORCE_REGION":
		if !region.MatchString(value) {
			return errors.New("it is not the name of a region; remove the setting")
		}
	case "IDENTITY_ENDPOINT", "MSI_ENDPOINT", "IMDS_ENDPOINT", "AZURE_POD_IDENTITY_AUTHORITY_HOST":
		return handsOut(value)
	case "AZURE_KUBERNETES_TOKEN_PROXY":
		return errors.New("tokens are not asked for through a proxy; remove the setting")
	}
	service, ours := strings.CutPrefix(name, "BYOKWATCH_")
	service, endpoint := strings.CutSuffix(service, "_ENDPOINT")
	if !ours || !endpoint {
		return nil
	}
	return Azure(service, value, worthless(env))
}

// loginHosts are those that make tokens
// (https://learn.microsoft.com/entra/identity-platform/authentication-national-cloud).
var loginHosts = []string{
	"login.microsoftonline.com", "login.microsoft.com", "login.windows.net",
	"login.microsoftonline.us", "login.chinacloudapi.cn", "login.partner.microsoftonline.cn",
}

func authority(raw string) error {
	u, err := host(raw)
	if err != nil {
		return err
	}
	if u.Scheme == "https" && slices.Contains(loginHosts, strings.ToLower(u.Hostname())) && plain(u) {
		return nil
	}
	return fmt.Errorf("%s is not an https host that Microsoft makes tokens at; remove the setting", u.Host)
}

// handsOut says whether a URL is where the platform hands out tokens of a
// managed identity: on this machine, or at an address that no router passes on.
// https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference
func handsOut(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
		return errors.New("it is not the URL of a host")
	}
	ip, err := netip.ParseAddr(u.Hostname())
	if (u.Scheme == "http" || u.Scheme == "https") && (loopback(u) || err == nil && ip.Is4() && ip.IsLinkLocalUnicast()) {
		return nil
	}
	return fmt.Errorf("%s is not where Azure hands out tokens of a managed identity: on this machine, or at an address in 169.254.0.0/16; remove the setting", u.Host)
}

// worthless says whether the environment has nothing by which a token of Azure
// could be had.
func worthless(env map[string]string) bool {
	for _, name := range []string{
		"AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_FEDERATED_TOKEN_FILE", "AZURE_PASSWORD",
		"IDENTITY_ENDPOINT", "IDENTITY_HEADER", "MSI_ENDPOINT", "MSI_SECRET",
	} {
		if env[name] != "" {
			return false
		}
	}
	return true
}

var (
	// storageAccount is the name of one, which is the first part of its host
	// (https://learn.microsoft.com/azure/storage/common/storage-account-overview#storage-account-name).
	storageAccount = pattern.New(`^[a-z0-9]{3,24}$`)
	// dnsZone is what some accounts have between their name and the suffix
	// (https://learn.microsoft.com/azure/storage/common/storage-account-overview#azure-dns-zone-endpoints-preview).
	dnsZone = pattern.New(`^\.z[0-9]{1,3}\.blob\.storage\.azure\.net$`)
	// vaultName is the name of a vault, likewise
	// (https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules#microsoftkeyvault).
	vaultName = pattern.New(`^[a-z][a-z0-9-]{1,22}[a-z0-9]$`)
)

// Azure returns an error unless raw is on this machine, with nothing in the
// environment by which a real token could be had (dummy), or an https host of the
// service of Azure, which is named as in BYOKWATCH_<SERVICE>_ENDPOINT. Whose
// account a host of storage is, is for [AzureBlobs] to say.
func Azure(service, raw string, dummy bool) error {
	u, err := host(raw)
	if err != nil {
		return err
	}
	known := slices.Contains([]string{"MANAGEMENT", "KEYVAULT", "BLOB"}, service)
	switch {
	case !known:
		return errors.New("byokwatch calls no such service of Azure")
	case loopback(u) && (u.Scheme == "http" || u.Scheme == "https"):
		if !dummy {
			return fmt.Errorf("it points to this machine (%s), which is for tests, and the environment holds real credentials of Azure: remove one or the other", u.Host)
		}
		return nil
	case service == "KEYVAULT":
		return fmt.Errorf("%s is not this machine; each vault's own host is known from Azure Resource Manager, so remove the setting", u.Host)
	case u.Scheme == "https" && plain(u) && own(service, strings.ToLower(u.Hostname())):
		return nil
	}
	return fmt.Errorf("%s is neither this machine nor an https host of this service of Azure; remove the setting", u.Host)
}

func own(service, host string) bool {
	name, _, _ := strings.Cut(host, ".")
	for _, c := range azureClouds {
		if service == "MANAGEMENT" && "https://"+host == c.Management || service == "BLOB" && isBlobHost(host, name) {
			return true
		}
	}
	return false
}

func isBlobHost(host, account string) bool {
	suffix, ok := strings.CutPrefix(host, account)
	return ok && storageAccount.MatchString(account) &&
		(dnsZone.MatchString(suffix) || slices.ContainsFunc(azureClouds, func(c AzureCloud) bool { return suffix == c.Blobs }))
}

// AzureBlobs is the URL of a storage account: at the endpoint, which passed
// [Azure], or, where there is none, in the cloud. On this machine the account is
// the first part of the path, as in Azurite. A host of Azure must be the
// account's own, since anybody can have one.
func AzureBlobs(endpoint string, cloud AzureCloud, account string) (string, error) {
	if !storageAccount.MatchString(account) {
		return "", fmt.Errorf("%q is not the name of a storage account: 3 to 24 lower-case letters and digits", account)
	}
	if endpoint == "" {
		return "https://" + account + cloud.Blobs + "/", nil
	}
	u, err := host(endpoint)
	switch {
	case err != nil:
		return "", err
	case loopback(u) && strings.Trim(u.Path, "/") != account:
		return u.JoinPath(account).String() + "/", nil
	case loopback(u) || u.Scheme == "https" && plain(u) && isBlobHost(strings.ToLower(u.Hostname()), account):
		return strings.TrimSuffix(u.String(), "/") + "/", nil
	}
	return "", fmt.Errorf("%s is not the host of the storage account %s", u.Host, account)
}

// AzureVault returns an error unless raw is the https address of the vault with
// that name, in one of Azure's clouds. Azure Resource Manager tells where a vault
// is; whoever could make it tell another place would be sent our token.
func AzureVault(raw, name string) error {
	u, err := host(raw)
	if err != nil {
		return err
	}
	name = strings.ToLower(name)
	suffix, ok := strings.CutPrefix(strings.ToLower(u.Hostname()), name)
	if ok && vaultName.MatchString(name) && u.Scheme == "https" && plain(u) &&
		slices.ContainsFunc(azureClouds, func(c AzureCloud) bool { return suffix == c.Vaults }) {
		return nil
	}
	return fmt.Errorf("%s is not the https host of the vault %s", u.Host, name)
}

// host parses a URL that is nothing but where a host is, or what stands below a
// path of it. Some letters outside of ASCII have one of its letters as their
// lower case.
func host(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	foreign := func(r rune) bool { return r > unicode.MaxASCII }
	if err != nil || u.Hostname() == "" || strings.ContainsFunc(u.Host, foreign) || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return nil, errors.New("it is not the URL of a host")
	}
	return u, nil
}

// plain says that a URL has no port but the usual one, and no path.
func plain(u *url.URL) bool {
	return (u.Port() == "" || u.Port() == "443") && strings.Trim(u.Path, "/") == ""
}
