package main

import (
	"slices"
	"strings"
	"testing"
)

const (
	watchdogRole = "arn:aws:iam::111122223333:role/byokwatch-us-west-2"
	otherRole    = "arn:aws:iam::444455556666:role/byokwatch-us-west-2"
	operatorRole = "arn:aws:iam::111122223333:role/key-operator"
	adminRole    = "arn:aws:iam::111122223333:role/admin"
)

// try is one request to the bucket.
type try struct {
	who, action, object string
	headers             string // conditional ones
	plain               bool   // without TLS
}

// says is what the bucket's policy makes of a request: "Deny", "Allow", or "" if
// it leaves it to the caller's own rights.
func says(t *testing.T, policy any, r try) string {
	t.Helper()
	out := ""
	for _, s := range get(policy, "Statement").([]any) {
		effect := get(s, "Effect").(string)
		who := texts(get(s, "Principal"))
		if get(s, "Principal", "AWS") != nil {
			who = texts(get(s, "Principal", "AWS"))
		}
		resource := "<Store.Arn>/prod/" + r.object
		if r.action == "s3:ListBucket" {
			resource = "<Store.Arn>"
		}
		is := func(patterns []string, v string) bool {
			return slices.ContainsFunc(patterns, func(p string) bool { return p == v || strings.Contains(p, "*") && wild(p, v) })
		}
		if !is(who, r.who) || !is(texts(get(s, "Action")), r.action) || !is(resolved(get(s, "Resource")), resource) || !holds(t, get(s, "Condition"), r) {
			continue
		}
		if effect == "Deny" {
			return effect
		}
		out = effect
	}
	return out
}

// resolved is texts, in which the bucket's ARN is still to be filled in.
func resolved(v any) []string {
	switch {
	case get(v, "Fn::GetAtt", 0) == "Store":
		return []string{"<Store.Arn>"}
	case get(v, "Fn::Join") != nil:
		return []string{"<Store.Arn>" + get(v, "Fn::Join", 1, 1).(string)}
	}
	var out []string
	if l, ok := v.([]any); ok {
		for _, e := range l {
			out = append(out, resolved(e)...)
		}
	}
	return out
}

func holds(t *testing.T, condition any, r try) bool {
	t.Helper()
	all, _ := condition.(map[string]any)
	for operator, keys := range all {
		for key, want := range keys.(map[string]any) {
			ok := false
			switch operator + " " + key {
			case "Bool aws:SecureTransport":
				ok = (want == "false") == r.plain
			case "ArnNotEquals aws:PrincipalArn":
				ok = !slices.Contains(texts(want), r.who)
			case "Null s3:if-match", "Null s3:if-none-match":
				ok = (want == "true") == (r.headers != strings.TrimPrefix(key, "s3:"))
			default:
				t.Fatalf("no condition that this test knows: %s %s", operator, key)
			}
			if !ok {
				return false
			}
		}
	}
	return true
}

func TestWhoWritesWhere(t *testing.T) {
	put, get, del := "s3:PutObject", "s3:GetObject", "s3:DeleteObject"
	policy := func(o Options) any {
		return synth(t, fixture(t), o).Resources["StorePolicy"].Properties["PolicyDocument"]
	}
	shared, alone := policy(everything(t)), policy(options(t))
	for name, c := range map[string]struct {
		policy any
		try    try
		want   string
	}{
		"a watchdog makes a record":            {shared, try{who: watchdogRole, action: put, object: "records/aws/a.json", headers: "if-none-match"}, ""},
		"a watchdog replaces a record":         {shared, try{who: watchdogRole, action: put, object: "records/aws/a.json", headers: "if-match"}, ""},
		"another watchdog does":                {shared, try{who: otherRole, action: put, object: "records/aws/a.json", headers: "if-match"}, "Allow"},
		"another watchdog reads":               {shared, try{who: otherRole, action: get, object: "kept/aws/a/snapshots/1.json"}, "Allow"},
		"another watchdog lists":               {shared, try{who: otherRole, action: "s3:ListBucket"}, "Allow"},
		"another watchdog, not shared":         {alone, try{who: otherRole, action: put, object: "records/aws/a.json", headers: "if-match"}, "Deny"},
		"a record written blindly":             {shared, try{who: watchdogRole, action: put, object: "records/aws/a.json"}, "Deny"},
		"a watchdog keeps a snapshot":          {shared, try{who: watchdogRole, action: put, object: "kept/aws/a/snapshots/1.json", headers: "if-none-match"}, ""},
		"a snapshot replaced":                  {shared, try{who: watchdogRole, action: put, object: "kept/aws/a/snapshots/1.json", headers: "if-match"}, "Deny"},
		"a snapshot written blindly":           {shared, try{who: watchdogRole, action: put, object: "kept/aws/a/snapshots/1.json"}, "Deny"},
		"an administrator plants a snapshot":   {shared, try{who: adminRole, action: put, object: "kept/aws/a/snapshots/1.json", headers: "if-none-match"}, "Deny"},
		"an administrator changes a record":    {shared, try{who: adminRole, action: put, object: "records/aws/a.json", headers: "if-match"}, "Deny"},
		"an operator changes a record":         {shared, try{who: operatorRole, action: put, object: "records/aws/a.json", headers: "if-match"}, "Deny"},
		"an operator asks":                     {shared, try{who: operatorRole, action: put, object: "requests/aws/a/hold.json"}, "Allow"},
		"an operator reads":                    {shared, try{who: operatorRole, action: get, object: "records/aws/a.json"}, "Allow"},
		"an administrator asks":                {shared, try{who: adminRole, action: put, object: "requests/aws/a/hold.json"}, "Deny"},
		"an administrator removes a hold":      {shared, try{who: adminRole, action: del, object: "requests/aws/a/hold.json"}, "Deny"},
		"a watchdog asks":                      {shared, try{who: watchdogRole, action: put, object: "requests/aws/a/hold.json"}, "Deny"},
		"nobody was named operator":            {alone, try{who: operatorRole, action: put, object: "requests/aws/a/hold.json"}, "Deny"},
		"a watchdog deletes a record":          {shared, try{who: watchdogRole, action: del, object: "records/aws/a.json"}, "Deny"},
		"an administrator deletes a snapshot":  {shared, try{who: adminRole, action: "s3:DeleteObjectVersion", object: "kept/aws/a/snapshots/1.json"}, "Deny"},
		"a watchdog reads":                     {shared, try{who: watchdogRole, action: get, object: "requests/aws/a/hold.json"}, ""},
		"a watchdog reads without TLS":         {shared, try{who: watchdogRole, action: get, object: "requests/aws/a/hold.json", plain: true}, "Deny"},
		"a stranger reads":                     {shared, try{who: "arn:aws:iam::555566667777:role/x", action: get, object: "records/aws/a.json"}, ""},
		"somebody else's folder of the bucket": {shared, try{who: adminRole, action: put, object: "../x"}, ""},
	} {
		if got := says(t, c.policy, c.try); got != c.want {
			t.Errorf("%s: %q, not %q", name, got, c.want)
		}
	}
}

func TestTheBucketIsClosedVersionedAndStays(t *testing.T) {
	tmpl := synth(t, fixture(t), options(t))
	b := tmpl.Resources["Store"].Properties
	for what, ok := range map[string]bool{
		"its name":                b["BucketName"] == "acme-byokwatch",
		"versioning":              get(b, "VersioningConfiguration", "Status") == "Enabled",
		"encryption by S3 itself": get(b, "BucketEncryption", "ServerSideEncryptionConfiguration", 0, "ServerSideEncryptionByDefault", "SSEAlgorithm") == "AES256",
		"no ACLs":                 get(b, "OwnershipControls", "Rules", 0, "ObjectOwnership") == "BucketOwnerEnforced",
		"old records expire":      get(b, "LifecycleConfiguration", "Rules", 0, "Prefix") == "prod/records/" && get(b, "LifecycleConfiguration", "Rules", 0, "NoncurrentVersionExpiration", "NoncurrentDays") == 90.0,
		"nothing else expires":    len(get(b, "LifecycleConfiguration", "Rules").([]any)) == 1,
		"it stays":                tmpl.Resources["Store"].DeletionPolicy == "Retain" && tmpl.Resources["StorePolicy"].DeletionPolicy == "Retain",
	} {
		if !ok {
			t.Errorf("the bucket lacks: %s", what)
		}
	}
	for _, block := range []string{"BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"} {
		if get(b, "PublicAccessBlockConfiguration", block) != true {
			t.Errorf("%s is not set", block)
		}
	}
	d := fixture(t)
	d.Store.Prefix = ""
	if got := get(synth(t, d, options(t)).Resources["Store"].Properties, "LifecycleConfiguration", "Rules", 0, "Prefix"); got != "records/" {
		t.Errorf("without a prefix records are in %v", got)
	}
}

func TestABucketThatIsThereIsUsed(t *testing.T) {
	o := options(t)
	o.CreateStore, o.StoreRegion = false, "eu-central-1"
	tmpl := synth(t, fixture(t), o)
	for _, kind := range []string{"AWS::S3::Bucket", "AWS::S3::BucketPolicy"} {
		if len(tmpl.of(kind)) > 0 {
			t.Errorf("makes %s", kind)
		}
	}
	for id, f := range tmpl.of("AWS::Lambda::Function") {
		if got := get(f, "Environment", "Variables", "BYOKWATCH_STORE_REGION"); got != "eu-central-1" {
			t.Errorf("%s looks for it in %v", id, got)
		}
	}
}

func TestTheSigningKey(t *testing.T) {
	tmpl := synth(t, fixture(t), everything(t))
	key := tmpl.Resources["SnapshotKey"]
	if p := key.Properties; p["KeySpec"] != "ECC_NIST_P256" || p["KeyUsage"] != "SIGN_VERIFY" || key.DeletionPolicy != "Retain" {
		t.Errorf("the key is %v, deleted with the stack: %s", p, key.DeletionPolicy)
	}
	statements := get(key.Properties, "KeyPolicy", "Statement").([]any)
	if len(statements) != 2 || get(statements, 0, "Principal", "AWS") != "arn:aws:iam::111122223333:root" ||
		get(statements, 1, "Action") != "kms:Sign" || !slices.Equal(texts(get(statements, 1, "Principal", "AWS")), everything(t).OtherRoles) {
		t.Errorf("its policy is %v", statements)
	}
	first := fixture(t) // the configuration can only name it once it is there
	first.Scopes.SigningKey = nil
	for what, tmpl := range map[string]template{"already configured": tmpl, "not yet configured": synth(t, first, everything(t))} {
		var used []string
		for _, s := range get(tmpl.Resources["PolicyRead"].Properties, "PolicyDocument", "Statement").([]any) {
			if get(s, "Sid") == "SignSnapshots" {
				used = texts(get(s, "Resource", 0, "Fn::GetAtt"))
			}
		}
		if !slices.Equal(used, []string{"SnapshotKey", "Arn"}) {
			t.Errorf("%s: the function signs by %v", what, used)
		}
	}
	if n := len(synth(t, fixture(t), options(t)).of("AWS::KMS::Key")); n != 0 {
		t.Error("a key is made that nobody asked for")
	}
}
