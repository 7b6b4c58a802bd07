package cloudtrail

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"byokwatch/core"
	"byokwatch/core/loose"
)

const (
	account = "111122223333"
	region  = "us-west-2"
	keyARN  = "arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	replica = "mrk-1234abcd12ab34cd56ef1234567890ab"
)

func key(arn string) core.Key {
	return core.Key{ID: arn, Cloud: core.AWS, Needs: core.Confluent{
		Roles: []string{"arn:aws:iam::152535741197:role/cc-kafka-d45e6381"},
	}}
}

// protected holds the samples' key, its neighbours that must never be meant,
// and one multi-Region key in both Regions.
func protected() []core.Key {
	return []core.Key{
		key(keyARN),
		key("arn:aws:kms:us-west-2:111122223333:key/" + replica),
		key("arn:aws:kms:eu-central-1:111122223333:key/" + replica),
		key("arn:aws:kms:us-west-2:444455556666:key/1234abcd-12ab-34cd-56ef-1234567890ab"),
		{ID: "projects/acme/locations/us-west1/keyRings/kafka/cryptoKeys/payments", Cloud: core.GCP},
	}
}

func sample(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "awstest", "testdata", "events", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// The shapes and their sources are listed in awstest/testdata/events/README.md.
func TestSamples(t *testing.T) {
	var (
		alice     = core.Actor{ID: "arn:aws:iam::111122223333:user/Alice", Name: "Alice"}
		confluent = core.Actor{ID: "152535741197", Name: "kafka-0"}
		itself    = core.Actor{Via: "AWS Internal"}
		none      = []core.Change(nil)
	)
	// one is the expected Change but for its time, event ID, address and agent,
	// which must be the sample's own.
	one := func(kind core.ChangeKind, op string, takes bool, who core.Actor) []core.Change {
		return []core.Change{{Key: keyARN, Kind: kind, Op: op, Takes: takes, Actor: who}}
	}
	all := func(kind core.ChangeKind, op string, who core.Actor) []core.Change {
		c := one(kind, op, false, who)
		return append(c, core.Change{Key: "arn:aws:kms:us-west-2:111122223333:key/" + replica, Kind: kind, Op: op, Actor: who})
	}
	put := func(who core.Actor) []core.Change { return one(core.PolicyChange, "PutKeyPolicy", false, who) }
	state := func(op string, takes bool) []core.Change { return one(core.StateChange, op, takes, alice) }

	tests := map[string]struct {
		want []core.Change
		copy bool // the policy comes along
	}{
		"put-key-policy-user":           {put(alice), true},
		"put-key-policy-terraform-role": {put(core.Actor{ID: "arn:aws:iam::111122223333:role/terraform-apply", Name: "GitHubActions"}), true},
		"put-key-policy-console": {put(core.Actor{
			ID:   "arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/us-west-2/AWSReservedSSO_Admin_1a2b3c4d5e6f7a8b",
			Name: "alice@example.com"}), true},
		"put-key-policy-root-user":          {put(core.Actor{ID: "arn:aws:iam::111122223333:root", Name: "root"}), true},
		"put-key-policy-cloudformation":     {put(core.Actor{ID: "arn:aws:iam::111122223333:role/deploy", Name: "AWSCloudFormation", Via: "cloudformation.amazonaws.com"}), true},
		"put-key-policy-lambda-restore":     {put(core.Actor{ID: "arn:aws:iam::111122223333:role/byokwatch", Name: "byokwatch"}), true},
		"put-key-policy-bypass":             {put(core.Actor{ID: "arn:aws:iam::111122223333:role/terraform-apply", Name: "GitHubActions"}), true},
		"put-key-policy-original":           {put(alice), true},
		"put-key-policy-reissued":           {put(alice), true},
		"put-key-policy-unparsable-copy":    {put(alice), false},
		"put-key-policy-omitted-parameters": {put(alice), false},

		"put-key-policy-denied":                 {none, false},
		"put-key-policy-malformed":              {none, false},
		"put-key-policy-failed-with-parameters": {none, false},

		"disable-key":                          {state("DisableKey", true), false},
		"disable-key-null-response":            {state("DisableKey", true), false},
		"schedule-key-deletion":                {state("ScheduleKeyDeletion", true), false},
		"schedule-key-deletion-with-replicas":  {state("ScheduleKeyDeletion", true), false},
		"delete-imported-key-material":         {state("DeleteImportedKeyMaterial", true), false},
		"enable-key":                           {state("EnableKey", false), false},
		"cancel-key-deletion":                  {state("CancelKeyDeletion", false), false},
		"update-alias":                         {one(core.PolicyChange, "UpdateAlias", false, alice), false},
		"delete-alias":                         {one(core.PolicyChange, "DeleteAlias", false, alice), false},
		"tag-resource":                         {one(core.PolicyChange, "TagResource", false, alice), false},
		"untag-resource":                       {one(core.PolicyChange, "UntagResource", false, alice), false},
		"delete-key":                           {one(core.StateChange, "DeleteKey", true, itself), false},
		"delete-expired-key-material":          {one(core.StateChange, "DeleteExpiredKeyMaterial", true, itself), false},
		"kms-cmk-deletion":                     {one(core.StateChange, "KMS CMK Deletion", true, core.Actor{Via: "kms.amazonaws.com"}), false},
		"kms-imported-key-material-expiration": {one(core.StateChange, "KMS Imported Key Material Expiration", true, core.Actor{Via: "kms.amazonaws.com"}), false},

		"revoke-grant":              {one(core.GrantRevoked, "RevokeGrant", true, alice), false},
		"revoke-grant-by-confluent": {one(core.GrantRevoked, "RevokeGrant", false, confluent), false},
		"retire-grant":              {one(core.GrantRevoked, "RetireGrant", false, confluent), false},

		"disconnect-custom-key-store": {all(core.PolicyChange, "DisconnectCustomKeyStore", alice), false},
		"scheduled-tick":              {all(core.Tick, "Scheduled Event", core.Actor{}), false},

		// Nothing that Confluent needs changes.
		"create-grant":                 {none, false},
		"disable-key-rotation":         {none, false},
		"kms-cmk-rotation":             {none, false},
		"replicate-key":                {none, false},
		"rotate-key":                   {none, false},
		"update-primary-region":        {none, false},
		"update-primary-region-by-kms": {none, false},
	}
	reissued := map[string]string{"put-key-policy-reissued": "becc9b0c-787f-5410-acfb-a553f97484cb"}
	elsewhere := map[string]bool{"put-key-policy-primary": true, "put-key-policy-replica": true} // see TestOneKeyIDInTwoRegions
	multiRegion := map[string]bool{"schedule-key-deletion-with-replicas": true}

	files, err := filepath.Glob("../awstest/testdata/events/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no samples: %v", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		if elsewhere[name] {
			continue
		}
		t.Run(name, func(t *testing.T) {
			test, ok := tests[name]
			if !ok {
				t.Fatal("a sample without an expectation")
			}
			event := sample(t, name)
			var raw struct {
				ID     string    `json:"id"`
				Time   time.Time `json:"time"`
				Detail struct {
					EventID    string                  `json:"eventID"`
					Address    string                  `json:"sourceIPAddress"`
					Agent      string                  `json:"userAgent"`
					Parameters struct{ Policy string } `json:"requestParameters"`
				}
			}
			if err := json.Unmarshal(event, &raw); err != nil {
				t.Fatal(err)
			}
			id := raw.Detail.EventID
			if id == "" {
				id = raw.ID
			}
			if r := reissued[name]; r != "" {
				id = r
			}
			if multiRegion[name] {
				test.want[0].Key = "arn:aws:kms:us-west-2:111122223333:key/" + replica
			}
			for i := range test.want {
				test.want[i].EventID, test.want[i].At = id, raw.Time
				test.want[i].Actor.Address, test.want[i].Actor.Agent = raw.Detail.Address, raw.Detail.Agent
				if test.copy {
					test.want[i].Copy = []core.Document{{Kind: core.KeyPolicy, ID: keyARN, Text: raw.Detail.Parameters.Policy}}
				}
			}
			got, err := Decode(event, account, region, protected())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("want -, got +\n%s", diff)
			}
		})
		delete(tests, name)
	}
	for name := range tests {
		t.Errorf("no sample %s", name)
	}
}

func TestOneKeyIDInTwoRegions(t *testing.T) {
	for name, region := range map[string]string{"put-key-policy-primary": "us-west-2", "put-key-policy-replica": "eu-central-1"} {
		for _, at := range []string{"us-west-2", "eu-central-1"} {
			got, err := Decode(sample(t, name), account, at, protected())
			if err != nil {
				t.Fatal(err)
			}
			want := "arn:aws:kms:" + region + ":111122223333:key/" + replica
			switch {
			case at != region && len(got) != 0:
				t.Errorf("%s is of %s, but the function in %s makes %d Changes of it", name, region, at, len(got))
			case at == region && (len(got) != 1 || got[0].Key != want):
				t.Errorf("%s in %s: %+v, want one Change of %s", name, at, got, want)
			}
		}
	}
}

// edit returns a sample with members set; a path's last part is the member, and
// a nil value removes it.
func edit(t testing.TB, name string, members map[string]any) []byte {
	t.Helper()
	var event map[string]any
	if err := json.Unmarshal(sample(t, name), &event); err != nil {
		t.Fatal(err)
	}
	for path, value := range members {
		parts := strings.Split(path, ".")
		at := event
		for _, p := range parts[:len(parts)-1] {
			at = at[p].(map[string]any)
		}
		if last := parts[len(parts)-1]; value == nil {
			delete(at, last)
		} else {
			at[last] = value
		}
	}
	data, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestWhereAnEventPoints(t *testing.T) {
	tests := map[string]struct {
		event []byte
		keys  int
	}{
		"the sample as it is names one key":                   {edit(t, "disable-key", nil), 1},
		"another account's envelope":                          {edit(t, "disable-key", map[string]any{"account": "444455556666"}), 0},
		"another Region's envelope":                           {edit(t, "disable-key", map[string]any{"region": "eu-central-1"}), 0},
		"the caller's copy of a call between accounts":        {edit(t, "disable-key", map[string]any{"detail.recipientAccountId": "444455556666"}), 0},
		"no recipient, as in old records":                     {edit(t, "disable-key", map[string]any{"detail.recipientAccountId": nil}), 1},
		"an account given as a number":                        {edit(t, "disable-key", map[string]any{"account": json.Number(account)}), 1},
		"a tick of another Region":                            {edit(t, "scheduled-tick", map[string]any{"region": "eu-central-1"}), 0},
		"a key that nobody protects":                          {[]byte(strings.ReplaceAll(string(sample(t, "disable-key")), "1234abcd-", "ffffffff-")), 0},
		"only a bare key ID":                                  {edit(t, "disable-key", map[string]any{"detail.resources": []any{}, "detail.responseElements": nil}), 1},
		"only resources":                                      {edit(t, "disable-key", map[string]any{"detail.requestParameters": nil, "detail.responseElements": nil}), 1},
		"only the answer":                                     {edit(t, "disable-key", map[string]any{"detail.requestParameters": nil, "detail.resources": "?"}), 1},
		"a bare key ID of another Region":                     {edit(t, "disable-key", map[string]any{"detail.resources": nil, "detail.responseElements": nil, "detail.awsRegion": "eu-central-1"}), 0},
		"an ARN of another account's key with the same ID":    {edit(t, "disable-key", map[string]any{"detail.resources": nil, "detail.responseElements": nil, "detail.requestParameters": map[string]any{"keyId": "arn:aws:kms:us-west-2:444455556666:key/1234abcd-12ab-34cd-56ef-1234567890ab"}}), 0},
		"parts of unexpected types":                           {edit(t, "disable-key", map[string]any{"detail.requestParameters": "?", "detail.responseElements": []any{1}, "detail.userIdentity": 7, "detail.eventTime": true}), 1},
		"an error code that is null":                          {edit(t, "disable-key", map[string]any{"detail.errorCode": json.RawMessage("null")}), 1},
		"a failed call":                                       {edit(t, "disable-key", map[string]any{"detail.errorCode": "AccessDenied"}), 0},
		"an operation that we do not know":                    {edit(t, "disable-key", map[string]any{"detail.eventName": "PolishKey"}), 0},
		"another service's event":                             {edit(t, "disable-key", map[string]any{"source": "aws.s3"}), 0},
		"a policy of the organisation, from elsewhere":        {edit(t, "disable-key", map[string]any{"source": "aws.organizations", "detail.eventName": "AttachPolicy", "account": "999999999999", "region": "us-east-1", "detail.recipientAccountId": "999999999999"}), 2},
		"a KMS record that claims to be of the organisation":  {edit(t, "disable-key", map[string]any{"source": "aws.organizations"}), 0},
		"a custom key store of another Region":                {edit(t, "disconnect-custom-key-store", map[string]any{"region": "eu-west-1"}), 0},
		"a record that shows no keys, of a custom key store ": {edit(t, "disconnect-custom-key-store", map[string]any{"detail.requestParameters": nil}), 2},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Decode(test.event, account, region, protected())
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != test.keys {
				t.Errorf("%d Changes, want %d: %+v", len(got), test.keys, got)
			}
		})
	}
}

func TestWhatCannotBeUnderstoodIsAnError(t *testing.T) {
	deep := strings.Repeat(`{"a":`, 100_000) + "1" + strings.Repeat("}", 100_000)
	tests := map[string]string{
		"nothing":                    ``,
		"text":                       `hello`,
		"an array":                   `[]`,
		"null":                       `null`,
		"an empty object":            `{}`,
		"cut in the middle":          string(sample(t, "disable-key")[:300]),
		"two events":                 string(sample(t, "disable-key")) + string(sample(t, "disable-key")),
		"no detail":                  string(edit(t, "disable-key", map[string]any{"detail": nil})),
		"a detail that is text":      string(edit(t, "disable-key", map[string]any{"detail": "?"})),
		"a detail that is null":      string(edit(t, "disable-key", map[string]any{"detail": json.RawMessage("null")})),
		"no source":                  string(edit(t, "disable-key", map[string]any{"source": nil})),
		"no detail-type":             string(edit(t, "disable-key", map[string]any{"detail-type": nil})),
		"no account":                 string(edit(t, "disable-key", map[string]any{"account": nil})),
		"no Region":                  string(edit(t, "disable-key", map[string]any{"region": ""})),
		"a write that names no key":  string(edit(t, "put-key-policy-user", map[string]any{"detail.requestParameters": nil, "detail.resources": nil})),
		"nested without end":         deep,
		"more than Lambda delivers":  `{"pad":"` + strings.Repeat("x", MaxBytes) + `"}`,
		"the sweep of another cloud": `{"kind":"sweep"}`,
	}
	seen := map[string]string{}
	for name, event := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Decode([]byte(event), account, region, protected())
			if err == nil || len(got) != 0 {
				t.Errorf("error %v with %d Changes, want an error and none", err, len(got))
			}
			id := ID([]byte(event))
			if id == "" || id != ID([]byte(event)) {
				t.Errorf("ID %q is empty or changes", id)
			}
			if strings.HasPrefix(id, "sha256:") {
				if other := seen[id]; other != "" {
					t.Errorf("same ID as %q", other)
				}
				seen[id] = name
			}
		})
	}
}

func TestTimeThatDoesNotParseIsUnknown(t *testing.T) {
	for _, bad := range []any{"yesterday", 7, "", "2026-13-01T00:00:00Z"} {
		got, err := Decode(edit(t, "disable-key", map[string]any{"detail.eventTime": bad, "time": "?"}), account, region, protected())
		if err != nil || len(got) != 1 || !got[0].At.IsZero() {
			t.Errorf("eventTime %v: %+v, %v; want one Change without a time", bad, got, err)
		}
	}
}

func TestIDIsStable(t *testing.T) {
	original := ID(sample(t, "put-key-policy-original"))
	redelivered := ID(edit(t, "put-key-policy-original", map[string]any{"id": "00000000-0000-4000-8000-000000000000"}))
	if original != redelivered {
		t.Errorf("a redelivery has ID %s, the event %s", redelivered, original)
	}
	if reissued := ID(sample(t, "put-key-policy-reissued")); reissued != original {
		t.Errorf("the re-issue has ID %s, the event %s", reissued, original)
	}
	long := ID(edit(t, "disable-key", map[string]any{"id": nil, "detail.eventID": strings.Repeat("x", 65)}))
	if !strings.HasPrefix(long, "sha256:") {
		t.Errorf("an ID beyond bounds is taken over: %s", long)
	}
}

func TestActorTextsAreBounded(t *testing.T) {
	event := edit(t, "disable-key", map[string]any{
		"detail.userAgent":             strings.Repeat("ä", loose.MaxText),
		"detail.sourceIPAddress":       strings.Repeat("9", 2*loose.MaxText),
		"detail.userIdentity.userName": strings.Repeat("x", 2*loose.MaxText),
		"detail.userIdentity.arn":      strings.Repeat("y", 2*loose.MaxText),
	})
	got, err := Decode(event, account, region, protected())
	if err != nil || len(got) != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
	who := got[0].Actor
	want := core.Actor{
		ID:      strings.Repeat("y", loose.MaxText),
		Name:    strings.Repeat("x", loose.MaxText),
		Address: strings.Repeat("9", loose.MaxText),
		Agent:   strings.Repeat("ä", loose.MaxText/2),
	}
	if diff := cmp.Diff(want, who); diff != "" {
		t.Error(diff)
	}
}

func TestWhoRevokesAGrant(t *testing.T) {
	role := func(arn, account string) map[string]any {
		return map[string]any{"type": "AssumedRole", "accountId": account, "sessionContext": map[string]any{
			"sessionIssuer": map[string]any{"type": "Role", "arn": arn}}}
	}
	ownRole := key(keyARN)
	ownRole.Needs.Roles = []string{"arn:aws:iam::111122223333:role/kafka"}
	legacy := key(keyARN)
	legacy.Needs = core.Confluent{Principals: []string{"arn:aws:iam::152535741197:root"}}

	tests := map[string]struct {
		identity map[string]any
		key      core.Key
		takes    bool
	}{
		"an administrator":                    {role("arn:aws:iam::111122223333:role/admin", account), key(keyARN), true},
		"a stranger's account":                {map[string]any{"type": "AWSAccount", "accountId": "999999999999"}, key(keyARN), true},
		"nobody knows who":                    {map[string]any{}, key(keyARN), true},
		"Confluent's role":                    {role("arn:aws:iam::152535741197:role/cc-kafka-d45e6381", "152535741197"), key(keyARN), false},
		"another role of Confluent's account": {role("arn:aws:iam::152535741197:role/block-storage", "152535741197"), key(keyARN), false},
		"Confluent's account, before roles":   {map[string]any{"type": "AWSAccount", "accountId": "152535741197"}, legacy, false},
		"a service that cleans up":            {map[string]any{"type": "AWSService", "invokedBy": "ec2.amazonaws.com"}, key(keyARN), false},
		"an administrator, where Confluent's role is in the same account": {role("arn:aws:iam::111122223333:role/admin", account), ownRole, true},
		"Confluent's role, where it is in the same account":               {role("arn:aws:iam::111122223333:role/kafka", account), ownRole, false},
		"a session that is named like Confluent's role":                   {map[string]any{"type": "AssumedRole", "arn": "arn:aws:sts::111122223333:assumed-role/admin/cc-kafka-d45e6381", "accountId": account}, key(keyARN), true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			event := edit(t, "revoke-grant", map[string]any{"detail.userIdentity": test.identity})
			got, err := Decode(event, account, region, []core.Key{test.key})
			if err != nil || len(got) != 1 {
				t.Fatalf("%+v, %v", got, err)
			}
			if got[0].Takes != test.takes {
				t.Errorf("takes %v, want %v", got[0].Takes, test.takes)
			}
		})
	}
}
