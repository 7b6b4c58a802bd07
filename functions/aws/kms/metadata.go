package kms

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

// described is what `aws kms describe-key` prints: the API's own member names,
// times as text, absent members left out. False and empty text are kept, since
// both are answers.
type described struct {
	KeyMetadata metadata
}

type metadata struct {
	AWSAccountId                *string                            `json:",omitempty"`
	KeyId                       *string                            `json:",omitempty"`
	Arn                         *string                            `json:",omitempty"`
	CreationDate                *time.Time                         `json:",omitempty"`
	Enabled                     bool                               //
	Description                 *string                            `json:",omitempty"`
	KeyUsage                    types.KeyUsageType                 `json:",omitempty"`
	KeyState                    types.KeyState                     `json:",omitempty"`
	DeletionDate                *time.Time                         `json:",omitempty"`
	ValidTo                     *time.Time                         `json:",omitempty"`
	Origin                      types.OriginType                   `json:",omitempty"`
	CustomKeyStoreId            *string                            `json:",omitempty"`
	CloudHsmClusterId           *string                            `json:",omitempty"`
	ExpirationModel             types.ExpirationModelType          `json:",omitempty"`
	KeyManager                  types.KeyManagerType               `json:",omitempty"`
	CustomerMasterKeySpec       types.CustomerMasterKeySpec        `json:",omitempty"`
	KeySpec                     types.KeySpec                      `json:",omitempty"`
	EncryptionAlgorithms        []types.EncryptionAlgorithmSpec    `json:",omitempty"`
	SigningAlgorithms           []types.SigningAlgorithmSpec       `json:",omitempty"`
	KeyAgreementAlgorithms      []types.KeyAgreementAlgorithmSpec  `json:",omitempty"`
	MultiRegion                 *bool                              `json:",omitempty"`
	MultiRegionConfiguration    *regions                           `json:",omitempty"`
	PendingDeletionWindowInDays *int32                             `json:",omitempty"`
	MacAlgorithms               []types.MacAlgorithmSpec           `json:",omitempty"`
	EncapsulationAlgorithms     []types.EncapsulationAlgorithmSpec `json:",omitempty"`
	XksKeyConfiguration         *external                          `json:",omitempty"`
	CurrentKeyMaterialId        *string                            `json:",omitempty"`
}

type regions struct {
	MultiRegionKeyType types.MultiRegionKeyType
	PrimaryKey         *related
	ReplicaKeys        []related
}

type related struct{ Arn, Region *string }

type external struct{ Id *string }

// printed renders the metadata of one key as the command line does.
func printed(m *types.KeyMetadata, id string) (string, error) {
	if m == nil {
		return "", errors.New("the answer has no metadata")
	}
	if m.Arn == nil || *m.Arn != id {
		return "", errors.New("the answer is about another key")
	}
	d := described{metadata{
		AWSAccountId: m.AWSAccountId, KeyId: m.KeyId, Arn: m.Arn, CreationDate: m.CreationDate, Enabled: m.Enabled,
		Description: m.Description, KeyUsage: m.KeyUsage, KeyState: m.KeyState, DeletionDate: m.DeletionDate, ValidTo: m.ValidTo,
		Origin: m.Origin, CustomKeyStoreId: m.CustomKeyStoreId, CloudHsmClusterId: m.CloudHsmClusterId,
		ExpirationModel: m.ExpirationModel, KeyManager: m.KeyManager,
		//lint:ignore SA1019 aws prints it as well
		CustomerMasterKeySpec: m.CustomerMasterKeySpec,
		KeySpec:               m.KeySpec, EncryptionAlgorithms: m.EncryptionAlgorithms, SigningAlgorithms: m.SigningAlgorithms,
		KeyAgreementAlgorithms: m.KeyAgreementAlgorithms, MultiRegion: m.MultiRegion,
		PendingDeletionWindowInDays: m.PendingDeletionWindowInDays, MacAlgorithms: m.MacAlgorithms,
		EncapsulationAlgorithms: m.EncapsulationAlgorithms, CurrentKeyMaterialId: m.CurrentKeyMaterialId,
	}}
	if c := m.MultiRegionConfiguration; c != nil {
		d.KeyMetadata.MultiRegionConfiguration = &regions{MultiRegionKeyType: c.MultiRegionKeyType}
		if c.PrimaryKey != nil {
			d.KeyMetadata.MultiRegionConfiguration.PrimaryKey = &related{c.PrimaryKey.Arn, c.PrimaryKey.Region}
		}
		for _, r := range c.ReplicaKeys {
			d.KeyMetadata.MultiRegionConfiguration.ReplicaKeys = append(d.KeyMetadata.MultiRegionConfiguration.ReplicaKeys, related{r.Arn, r.Region})
		}
	}
	if m.XksKeyConfiguration != nil {
		d.KeyMetadata.XksKeyConfiguration = &external{m.XksKeyConfiguration.Id}
	}
	text, err := json.MarshalIndent(d, "", "    ")
	if err != nil {
		return "", fmt.Errorf("write the metadata: %w", err)
	}
	return string(text), nil
}
