package cloudtrail

import (
	"encoding/json"
	"testing"

	"byokwatch/core"
)

// record makes the least event of a kind that names one key.
func record(t testing.TB, e Event) []byte {
	t.Helper()
	data, err := json.Marshal(map[string]any{
		"id": "i", "source": e.Source, "detail-type": e.DetailType, "account": account, "region": region,
		"resources": []string{keyARN},
		"detail":    map[string]any{"eventName": e.Name, "resources": []any{map[string]string{"ARN": keyARN}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// Decode makes Changes of every row of the table and, whatever other name is
// put together from its parts and KMS's other operations, of nothing else.
func TestTableAndDecodeAgree(t *testing.T) {
	inTable := map[Event]bool{}
	sources, types, names := map[string]bool{"aws.s3": true}, map[string]bool{"KMS CMK Rotation": true}, map[string]bool{
		"": true, "CreateGrant": true, "CreateKey": true, "Decrypt": true, "DescribeKey": true, "DisableKeyRotation": true,
		"EnableKeyRotation": true, "GenerateDataKey": true, "GetKeyPolicy": true, "ReplicateKey": true, "RotateKey": true,
		"SynchronizeMultiRegionKey": true, "UpdateKeyDescription": true, "UpdatePrimaryRegion": true, "putkeypolicy": true,
	}
	for _, e := range Events {
		at := Event{Source: e.Source, DetailType: e.DetailType, Name: e.Name}
		if inTable[at] {
			t.Errorf("%+v is listed twice", at)
		}
		inTable[at] = true
		sources[e.Source], types[e.DetailType], names[e.Name] = true, true, true
		got, err := Decode(record(t, e), account, region, protected())
		if err != nil || len(got) == 0 {
			t.Errorf("%+v: %d Changes, %v", e, len(got), err)
			continue
		}
		takes := e.Takes || e.Name == "RevokeGrant" // by nobody known
		if c := got[0]; c.Kind != e.Kind || c.Takes != takes || c.Op == "" {
			t.Errorf("%+v became %+v", e, c)
		}
		if (len(got) > 1) != e.AllKeys {
			t.Errorf("%+v: %d Changes", e, len(got))
		}
	}
	for source := range sources {
		for detailType := range types {
			for name := range names {
				e := Event{Source: source, DetailType: detailType, Name: name}
				bare := Event{Source: source, DetailType: detailType}
				recorded := detailType == call || detailType == service
				if inTable[e] || (!recorded && inTable[bare]) {
					continue
				}
				if got, err := Decode(record(t, e), account, region, protected()); err != nil || len(got) != 0 {
					t.Errorf("%+v is not in the table, but makes %d Changes, %v", e, len(got), err)
				}
			}
		}
	}
}

// What names no key by itself cannot say of a key that it was taken away, nor
// hide who did it.
func TestOnlyWhatNamesAKeyTakes(t *testing.T) {
	for _, e := range Events {
		if e.AllKeys && e.Kind == core.StateChange {
			t.Errorf("%+v would count as the last change of every key's state", e)
		}
		if e.AllKeys && e.Takes {
			t.Errorf("%+v accuses somebody of every key", e)
		}
		if e.Kind == core.Tick && !e.AllKeys {
			t.Errorf("%+v is a tick of some keys", e)
		}
	}
}
