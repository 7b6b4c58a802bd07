package endpoint

import (
	"strings"
	"testing"
)

func TestWhereAzureClientsMayGo(t *testing.T) {
	const arm, kv, blob = "BYOKWATCH_MANAGEMENT_ENDPOINT=", "BYOKWATCH_KEYVAULT_ENDPOINT=", "BYOKWATCH_BLOB_ENDPOINT="
	const identity = "IDENTITY_ENDPOINT=http://169.254.129.2:8081/msi/token"
	for what, c := range map[string]struct {
		env  []string
		want string // part of the error; empty: allowed
	}{
		"nothing":                                  {nil, ""},
		"an empty setting":                         {[]string{arm}, ""},
		"an emulator":                              {[]string{arm + "http://127.0.0.1:8085", kv + "http://localhost:8085/", blob + "http://[::1]:10000/devstoreaccount1"}, ""},
		"an emulator with a client's public ID":    {[]string{arm + "http://127.0.0.1:8085", "AZURE_CLIENT_ID=x", "AZURE_TENANT_ID=y"}, ""},
		"an emulator with a secret":                {[]string{arm + "http://127.0.0.1:1", "AZURE_CLIENT_SECRET=s"}, "BYOKWATCH_MANAGEMENT_ENDPOINT is refused: it points to this machine (127.0.0.1:1)"},
		"an emulator with a certificate":           {[]string{kv + "http://127.0.0.1:1", "AZURE_CLIENT_CERTIFICATE_PATH=/c.pem"}, "BYOKWATCH_KEYVAULT_ENDPOINT"},
		"an emulator with a federated token":       {[]string{blob + "http://127.0.0.1:1", "AZURE_FEDERATED_TOKEN_FILE=/t"}, "BYOKWATCH_BLOB_ENDPOINT"},
		"an emulator with a password":              {[]string{blob + "http://127.0.0.1:1", "AZURE_PASSWORD=p"}, "BYOKWATCH_BLOB_ENDPOINT"},
		"an emulator inside Azure Functions":       {[]string{arm + "http://127.0.0.1:1", identity, "IDENTITY_HEADER=h"}, "BYOKWATCH_MANAGEMENT_ENDPOINT"},
		"an emulator in a cloud shell":             {[]string{arm + "http://127.0.0.1:1", "MSI_ENDPOINT=http://localhost:50342/oauth2/token"}, "BYOKWATCH_MANAGEMENT_ENDPOINT"},
		"an emulator with half of an identity":     {[]string{arm + "http://127.0.0.1:1", "MSI_SECRET=h"}, "BYOKWATCH_MANAGEMENT_ENDPOINT"},
		"Azure's own hosts":                        {[]string{arm + "https://management.azure.com/", blob + "https://acmebw.blob.core.windows.net:443", "AZURE_CLIENT_SECRET=s"}, ""},
		"the US government's":                      {[]string{arm + "https://management.usgovcloudapi.net", blob + "https://acmebw.blob.core.usgovcloudapi.net"}, ""},
		"China's":                                  {[]string{arm + "https://MANAGEMENT.chinacloudapi.cn", blob + "https://acmebw.blob.core.chinacloudapi.cn"}, ""},
		"an account with a DNS zone":               {[]string{blob + "https://acmebw.z12.blob.storage.azure.net"}, ""},
		"a vault's host, which is not configured":  {[]string{kv + "https://acme.vault.azure.net"}, "BYOKWATCH_KEYVAULT_ENDPOINT"},
		"Azure in the clear":                       {[]string{arm + "http://management.azure.com"}, "BYOKWATCH_MANAGEMENT_ENDPOINT"},
		"another service of Azure":                 {[]string{arm + "https://graph.microsoft.com"}, "BYOKWATCH_MANAGEMENT_ENDPOINT"},
		"storage in place of management":           {[]string{arm + "https://acmebw.blob.core.windows.net"}, "BYOKWATCH_MANAGEMENT_ENDPOINT"},
		"management in place of storage":           {[]string{blob + "https://management.azure.com"}, "BYOKWATCH_BLOB_ENDPOINT"},
		"a web app of somebody's":                  {[]string{arm + "https://management.azurewebsites.net"}, "BYOKWATCH_MANAGEMENT_ENDPOINT"},
		"a name that begins like Azure's":          {[]string{arm + "https://management.azure.com.evil.example"}, "BYOKWATCH_MANAGEMENT_ENDPOINT"},
		"a name that ends like Azure's":            {[]string{arm + "https://evilmanagement.azure.com"}, "BYOKWATCH_MANAGEMENT_ENDPOINT"},
		"a host below an account's":                {[]string{blob + "https://a.acmebw.blob.core.windows.net"}, "BYOKWATCH_BLOB_ENDPOINT"},
		"a host that ends like an account's":       {[]string{blob + "https://acmebw.blob.core.windows.net.evil.example"}, "BYOKWATCH_BLOB_ENDPOINT"},
		"a path":                                   {[]string{arm + "https://management.azure.com/subscriptions"}, "BYOKWATCH_MANAGEMENT_ENDPOINT"},
		"a container":                              {[]string{blob + "https://acmebw.blob.core.windows.net/evil"}, "BYOKWATCH_BLOB_ENDPOINT"},
		"another port":                             {[]string{arm + "https://management.azure.com:8443"}, "BYOKWATCH_MANAGEMENT_ENDPOINT"},
		"the metadata server":                      {[]string{arm + "http://169.254.169.254"}, "BYOKWATCH_MANAGEMENT_ENDPOINT"},
		"a private address":                        {[]string{kv + "http://10.0.0.7"}, "BYOKWATCH_KEYVAULT_ENDPOINT"},
		"a password in the URL":                    {[]string{arm + "https://u:p@management.azure.com"}, "BYOKWATCH_MANAGEMENT_ENDPOINT"},
		"a signature in the URL":                   {[]string{blob + "https://acmebw.blob.core.windows.net/?sig=x"}, "BYOKWATCH_BLOB_ENDPOINT"},
		"no URL":                                   {[]string{arm + "127.0.0.1:1"}, "BYOKWATCH_MANAGEMENT_ENDPOINT"},
		"another scheme":                           {[]string{arm + "ftp://127.0.0.1"}, "BYOKWATCH_MANAGEMENT_ENDPOINT"},
		"a service that is never called":           {[]string{"BYOKWATCH_GRAPH_ENDPOINT=https://graph.microsoft.com"}, "no such service"},
		"Microsoft's login":                        {[]string{"AZURE_AUTHORITY_HOST=https://login.microsoftonline.com/"}, ""},
		"its login for the US government":          {[]string{"AZURE_AUTHORITY_HOST=https://login.microsoftonline.us"}, ""},
		"its logins in China":                      {[]string{"AZURE_AUTHORITY_HOST=https://login.partner.microsoftonline.cn"}, ""},
		"another login":                            {[]string{"AZURE_AUTHORITY_HOST=https://login.evil.example"}, "AZURE_AUTHORITY_HOST is refused: login.evil.example"},
		"a login that begins like Microsoft's":     {[]string{"AZURE_AUTHORITY_HOST=https://login.microsoftonline.com.evil.example"}, "AZURE_AUTHORITY_HOST"},
		"a login on this machine":                  {[]string{"AZURE_AUTHORITY_HOST=https://127.0.0.1:1"}, "AZURE_AUTHORITY_HOST"},
		"a login in the clear":                     {[]string{"AZURE_AUTHORITY_HOST=http://login.microsoftonline.com"}, "AZURE_AUTHORITY_HOST"},
		"a login with a path":                      {[]string{"AZURE_AUTHORITY_HOST=https://login.microsoftonline.com/evil"}, "AZURE_AUTHORITY_HOST"},
		"a region":                                 {[]string{"AZURE_REGIONAL_AUTHORITY_NAME=westus2"}, ""},
		"whatever region this is":                  {[]string{"AZURE_REGIONAL_AUTHORITY_NAME=TryAutoDetect"}, ""},
		"a region that would be a host":            {[]string{"AZURE_REGIONAL_AUTHORITY_NAME=evil.example/x"}, "AZURE_REGIONAL_AUTHORITY_NAME"},
		"the same by the library's other name":     {[]string{"MSAL_FORCE_REGION=evil.example/"}, "MSAL_FORCE_REGION"},
		"a managed identity":                       {[]string{identity, "IDENTITY_HEADER=h"}, ""},
		"one on this machine":                      {[]string{"IDENTITY_ENDPOINT=http://localhost:8081/msi/token"}, ""},
		"one elsewhere":                            {[]string{"IDENTITY_ENDPOINT=http://evil.example/msi/token"}, "IDENTITY_ENDPOINT"},
		"one with a letter that is nearly a k":     {[]string{"BYOKWATCH_BLOB_ENDPOINT=https://\u212aeys.blob.core.windows.net"}, "BYOKWATCH_BLOB_ENDPOINT"},
		"one at a private address":                 {[]string{"IDENTITY_ENDPOINT=http://10.0.0.1/msi/token"}, "IDENTITY_ENDPOINT"},
		"one at a host that looks like an address": {[]string{"IDENTITY_ENDPOINT=http://169.254.1.1.evil.example/"}, "IDENTITY_ENDPOINT"},
		"its older name":                           {[]string{"MSI_ENDPOINT=https://evil.example"}, "MSI_ENDPOINT"},
		"the metadata service elsewhere":           {[]string{"IMDS_ENDPOINT=http://evil.example"}, "IMDS_ENDPOINT"},
		"the metadata service":                     {[]string{"IMDS_ENDPOINT=http://169.254.169.254"}, ""},
		"a pod's identity elsewhere":               {[]string{"AZURE_POD_IDENTITY_AUTHORITY_HOST=http://evil.example"}, "AZURE_POD_IDENTITY_AUTHORITY_HOST"},
		"a proxy for tokens":                       {[]string{"AZURE_KUBERNETES_TOKEN_PROXY=https://kubernetes.default"}, "AZURE_KUBERNETES_TOKEN_PROXY"},
		"the first by name of two":                 {[]string{"IMDS_ENDPOINT=x", blob + "http://x"}, "BYOKWATCH_BLOB_ENDPOINT"},
		"settings that only look like an endpoint": {[]string{"BYOKWATCH_CONFIG=azblob://x/y/z", "OTHER_ENDPOINT=http://x"}, ""},
	} {
		t.Run(what, func(t *testing.T) {
			err := CheckAzure(c.env)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

func TestTheManagementEndpointSelectsTheCloud(t *testing.T) {
	for at, want := range map[string]string{
		"": "public", "http://127.0.0.1:8085": "public", "https://management.azure.com/": "public",
		"https://management.usgovcloudapi.net": "US government", "https://Management.ChinaCloudAPI.cn:443/": "China",
	} {
		c := AzureCloudAt(at)
		if c.Name != want || Azure("MANAGEMENT", c.Management, false) != nil || authority(c.Authority) != nil ||
			AzureVault("https://acme"+c.Vaults+"/", "acme") != nil || Azure("BLOB", "https://acmebw"+c.Blobs, false) != nil {
			t.Errorf("%s: %+v, want %s", at, c, want)
		}
	}
}

func TestWhereAStorageAccountIs(t *testing.T) {
	china := AzureCloudAt("https://management.chinacloudapi.cn")
	for what, c := range map[string]struct {
		endpoint string
		cloud    AzureCloud
		account  string
		want     string // empty: an error
	}{
		"by itself":                           {"", AzureCloudAt(""), "acmebw", "https://acmebw.blob.core.windows.net/"},
		"in China":                            {"", china, "acmebw", "https://acmebw.blob.core.chinacloudapi.cn/"},
		"in an emulator":                      {"http://127.0.0.1:10000", AzureCloudAt(""), "devstoreaccount1", "http://127.0.0.1:10000/devstoreaccount1/"},
		"in an emulator's URL of the account": {"http://127.0.0.1:10000/devstoreaccount1/", AzureCloudAt(""), "devstoreaccount1", "http://127.0.0.1:10000/devstoreaccount1/"},
		"at its own host":                     {"https://acmebw.z01.blob.storage.azure.net", AzureCloudAt(""), "acmebw", "https://acmebw.z01.blob.storage.azure.net/"},
		"at another account's host":           {"https://evil.blob.core.windows.net", AzureCloudAt(""), "acmebw", ""},
		"at a host that begins with its name": {"https://acmebwevil.blob.core.windows.net", AzureCloudAt(""), "acmebw", ""},
		"at its own host in the clear":        {"http://acmebw.blob.core.windows.net", AzureCloudAt(""), "acmebw", ""},
		"under no name":                       {"", AzureCloudAt(""), "", ""},
		"under a name that is a host":         {"", AzureCloudAt(""), "evil.example", ""},
		"at no URL":                           {"::", AzureCloudAt(""), "acmebw", ""},
	} {
		got, err := AzureBlobs(c.endpoint, c.cloud, c.account)
		if got != c.want || (err != nil) != (c.want == "") {
			t.Errorf("%s: %q, %v; want %q", what, got, err, c.want)
		}
	}
}

func TestAVaultIsWhereAzureKeepsVaults(t *testing.T) {
	for raw, want := range map[string]bool{
		"https://acme-vault.vault.azure.net/":             true,
		"https://ACME-vault.vault.azure.net":              true,
		"https://acme-vault.vault.azure.net:443/":         true,
		"https://acme-vault.vault.usgovcloudapi.net/":     true,
		"https://acme-vault.vault.azure.cn/":              true,
		"http://acme-vault.vault.azure.net/":              false,
		"https://acme-vault2.vault.azure.net/":            false,
		"https://acme-vault.managedhsm.azure.net/":        false,
		"https://acme-vault.vault.azure.net.evil.example": false,
		"https://evil.example/acme-vault.vault.azure.net": false,
		"https://acme-vault.evil.vault.azure.net":         false,
		"https://acme-vault.vault.azure.net@evil.example": false,
		"https://acme-vault.vault.azure.net:8443/":        false,
		"https://acme-vault.vault.azure.net/keys":         false,
		"https://127.0.0.1/":                              false,
		"https://acme-vault.vault.azure.net?x":            false,
		"https://acme-vault.va\u212ault.azure.net":        false,
		"acme-vault.vault.azure.net":                      false,
		"":                                                false,
	} {
		if err := AzureVault(raw, "Acme-Vault"); (err == nil) != want {
			t.Errorf("%s: %v", raw, err)
		}
	}
	if AzureVault("https://evil.example.vault.azure.net", "evil.example") == nil || AzureVault("https://.vault.azure.net", "") == nil {
		t.Error("what is no vault's name has a host")
	}
}
