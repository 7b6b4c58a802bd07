package blobstore

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"byokwatch/core/endpoint"
)

// The account that emulators of Blob Storage have, and its published key, which
// is worth nothing
// (https://learn.microsoft.com/azure/storage/common/storage-use-azurite#well-known-storage-account-and-key).
const (
	emulated    = "devstoreaccount1"
	emulatedKey = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)

// Client makes a client of a container. account is the URL of its storage
// account, as [endpoint.AzureBlobs] gives it. The emulators' own account on this
// machine is spoken to with its published key, and anything else with the
// credential, which on this machine must be a dummy.
func Client(account, name string, credential azcore.TokenCredential, opts azcore.ClientOptions) (*container.Client, error) {
	at, err := url.Parse(account)
	if err != nil {
		return nil, fmt.Errorf("the storage account's URL: %w", err)
	}
	local := endpoint.Loopback(account)
	opts.InsecureAllowCredentialWithHTTP = local
	where := at.JoinPath(name).String()
	if local && strings.Trim(at.Path, "/") == emulated {
		key, err := blob.NewSharedKeyCredential(emulated, emulatedKey)
		if err != nil {
			return nil, err
		}
		return container.NewClientWithSharedKeyCredential(where, key, &container.ClientOptions{ClientOptions: opts})
	}
	return container.NewClient(where, credential, &container.ClientOptions{ClientOptions: opts})
}
