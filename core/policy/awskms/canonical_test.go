package awskms

import (
	"strings"
	"testing"

	"byokwatch/core"
)

func oneStatement(statement string) core.Policy {
	return core.Policy{{
		Kind: core.KeyPolicy,
		ID:   "arn:aws:kms:us-west-2:111122223333:key/1234abcd",
		Text: `{"Version":"2012-10-17","Statement":[` + statement + `]}`,
	}}
}

const plainStatement = `{"Sid":"s","Effect":"Allow","Principal":{"AWS":["arn:aws:iam::111122223333:root","arn:aws:iam::152535741197:role/r"]},"Action":["kms:Encrypt","kms:Decrypt"],"Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"true"},"StringLike":{"kms:EncryptionContext:App":["a","b"]}}}`

func TestWhatKMSPrintsInManyWaysHasOneDigest(t *testing.T) {
	want := digest(oneStatement(plainStatement))
	if want == "" {
		t.Fatal("no digest")
	}
	for name, replace := range map[string][2]string{
		"principals in another order":    {`"arn:aws:iam::111122223333:root","arn:aws:iam::152535741197:role/r"`, `"arn:aws:iam::152535741197:role/r","arn:aws:iam::111122223333:root"`},
		"an account by its ID":           {"arn:aws:iam::111122223333:root", "111122223333"},
		"an account in both ways":        {`"arn:aws:iam::111122223333:root"`, `"111122223333","arn:aws:iam::111122223333:root"`},
		"a principal twice":              {`"arn:aws:iam::152535741197:role/r"`, `"arn:aws:iam::152535741197:role/r","arn:aws:iam::152535741197:role/r"`},
		"a list of one":                  {`"Resource":"*"`, `"Resource":["*"]`},
		"actions in another order":       {`"kms:Encrypt","kms:Decrypt"`, `"kms:Decrypt","kms:Encrypt"`},
		"actions in another case":        {"kms:Encrypt", "KMS:encrypt"},
		"a bool for its text":            {`"aws:SecureTransport":"true"`, `"aws:SecureTransport":true`},
		"a condition key in other case":  {"aws:SecureTransport", "AWS:securetransport"},
		"an operator in another case":    {`"Bool"`, `"bool"`},
		"condition values in order":      {`["a","b"]`, `["b","a","b"]`},
		"the name of a context key case": {"kms:EncryptionContext:App", "kms:encryptioncontext:App"},
		"blanks":                         {`"Resource":"*"`, "\n\"Resource\" :\t\"*\" "},
		"an escape":                      {`"Resource"`, `"\u0052esource"`},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(plainStatement, replace[0], replace[1], 1)
			if text == plainStatement {
				t.Fatal("nothing to replace")
			}
			if got := digest(oneStatement(text)); got != want {
				t.Errorf("another digest for %s", text)
			}
		})
	}
}

func TestWhatMeansSomethingElseHasAnotherDigest(t *testing.T) {
	same := digest(oneStatement(plainStatement))
	for name, replace := range map[string][2]string{
		"the effect":            {`"Allow"`, `"Deny"`},
		"a Sid":                 {`"Sid":"s"`, `"Sid":"ByokwatchRevoked"`},
		"no Sid":                {`"Sid":"s",`, ``},
		"a principal":           {"role/r", "role/s"},
		"a role in other case":  {"role/r", "role/R"},
		"a session of the role": {"arn:aws:iam::152535741197:role/r", "arn:aws:sts::152535741197:assumed-role/r/s"},
		"a partition":           {"arn:aws:iam::111122223333:root", "arn:aws-cn:iam::111122223333:root"},
		"NotPrincipal":          {`"Principal"`, `"NotPrincipal"`},
		"a type of principal":   {`"AWS"`, `"Federated"`},
		"an action":             {"kms:Encrypt", "kms:Encrypt*"},
		"NotAction":             {`"Action"`, `"NotAction"`},
		"a resource":            {`"Resource":"*"`, `"Resource":"arn:aws:kms:us-west-2:111122223333:key/1234abcd"`},
		"no resource":           {`"Resource":"*",`, ``},
		"an operator":           {`"Bool"`, `"BoolIfExists"`},
		"a condition key":       {"aws:SecureTransport", "aws:ViaAWSService"},
		"a context key's case":  {"kms:EncryptionContext:App", "kms:EncryptionContext:app"},
		"a condition value":     {`["a","b"]`, `["a"]`},
		"values run together":   {`["a","b"]`, `["a,b"]`},
		"a second statement":    {plainStatement, plainStatement + "," + plainStatement},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(plainStatement, replace[0], replace[1], 1)
			got := digest(oneStatement(text))
			if got == "" || got == same {
				t.Errorf("digest %q for %s", got, text)
			}
		})
	}
}

func TestStatementsAreAnUnorderedMultiset(t *testing.T) {
	other := strings.Replace(plainStatement, `"Sid":"s"`, `"Sid":"t"`, 1)
	a, b := digest(oneStatement(plainStatement+","+other)), digest(oneStatement(other+","+plainStatement))
	if a != b {
		t.Error("the order of statements counts")
	}
	if c := digest(oneStatement(plainStatement + "," + other + "," + other)); c == a {
		t.Error("a statement twice is the same as once")
	}
}

func TestAnAccountIDIsReadInTheKeysPartition(t *testing.T) {
	in := func(id, principal string) core.Digest {
		return digest(core.Policy{{Kind: core.KeyPolicy, ID: id, Text: `{"Statement":{"Effect":"Allow","Principal":{"AWS":"` + principal + `"},"Action":"kms:*","Resource":"*"}}`}})
	}
	const gov = "arn:aws-us-gov:kms:us-gov-west-1:111122223333:key/1234abcd"
	if in(gov, "111122223333") != in(gov, "arn:aws-us-gov:iam::111122223333:root") {
		t.Error("an ID differs from its root in GovCloud")
	}
	if in(gov, "111122223333") == in(gov, "arn:aws:iam::111122223333:root") {
		t.Error("an ID in GovCloud is the standard partition's root")
	}
	if in("policy.json", "111122223333") != in("policy.json", "arn:aws:iam::111122223333:root") {
		t.Error("an ID differs from its root where the key is not named")
	}
}

func TestTheBareStarIsEveryAWSPrincipal(t *testing.T) {
	a := digest(oneStatement(`{"Effect":"Deny","Principal":"*","Action":"kms:*","Resource":"*"}`))
	b := digest(oneStatement(`{"Effect":"Deny","Principal":{"AWS":["*"]},"Action":"kms:*","Resource":"*"}`))
	if a == "" || a != b {
		t.Errorf("%s and %s", a, b)
	}
}

func TestVersionAndIDAreKept(t *testing.T) {
	of := func(head string) core.Digest {
		return digest(core.Policy{{Kind: core.KeyPolicy, Text: `{` + head + `"Statement":` + plainStatement + `}`}})
	}
	if of("") != of(`"Version":"2008-10-17",`) {
		t.Error("no Version is not the older one")
	}
	if of("") == of(`"Version":"2012-10-17",`) || of("") == of(`"Id":"x",`) {
		t.Error("Version or Id does not count")
	}
}

func TestTheStateOfTheKeyIsPartOfTheDigest(t *testing.T) {
	with := func(metadata string) core.Digest {
		return digest(append(oneStatement(plainStatement), core.Document{Kind: core.KeyMetadata, Text: metadata}))
	}
	enabled := with(`{"KeyMetadata":{"KeyState":"Enabled","Enabled":true,"KeySpec":"SYMMETRIC_DEFAULT","KeyUsage":"ENCRYPT_DECRYPT","Description":"a"}}`)
	for name, metadata := range map[string]string{
		"a description":            `{"KeyMetadata":{"KeyState":"Enabled","Enabled":true,"KeySpec":"SYMMETRIC_DEFAULT","KeyUsage":"ENCRYPT_DECRYPT","Description":"b"}}`,
		"the former name of spec":  `{"KeyMetadata":{"KeyState":"Enabled","Enabled":true,"CustomerMasterKeySpec":"SYMMETRIC_DEFAULT","KeyUsage":"ENCRYPT_DECRYPT"}}`,
		"an update of some moment": `{"KeyMetadata":{"KeyState":"Updating","Enabled":true,"KeySpec":"SYMMETRIC_DEFAULT","KeyUsage":"ENCRYPT_DECRYPT"}}`,
	} {
		if with(metadata) != enabled {
			t.Errorf("%s changes the digest", name)
		}
	}
	disabled := with(`{"KeyMetadata":{"KeyState":"Disabled","Enabled":false,"KeySpec":"SYMMETRIC_DEFAULT","KeyUsage":"ENCRYPT_DECRYPT"}}`)
	if enabled == "" || disabled == "" || enabled == disabled || enabled == digest(oneStatement(plainStatement)) {
		t.Errorf("enabled %q, disabled %q", enabled, disabled)
	}
	if d := with(`{`); d != "" {
		t.Errorf("metadata that do not parse have digest %q", d)
	}
	if d := digest(append(oneStatement(plainStatement), core.Document{Kind: core.KeyMetadata, Unreadable: "denied"})); d != "" {
		t.Errorf("metadata that can't be read have digest %q", d)
	}
}

func TestWhatCannotBeReadHasNoDigest(t *testing.T) {
	for name, p := range map[string]core.Policy{
		"nothing":       nil,
		"two policies":  append(oneStatement(plainStatement), oneStatement(plainStatement)...),
		"not JSON":      {{Kind: core.KeyPolicy, Text: "{"}},
		"not readable":  {{Kind: core.KeyPolicy, Unreadable: "denied"}},
		"metadata only": {{Kind: core.KeyMetadata, Text: `{"KeyMetadata":{"KeyState":"Enabled"}}`}},
	} {
		if d := digest(p); d != "" {
			t.Errorf("%s has digest %q", name, d)
		}
	}
}

func TestAClauseIsTheStatementWithoutItsSid(t *testing.T) {
	clause := func(version, statement string) core.Digest {
		p, err := parse(`{"Version":"` + version + `","Statement":` + statement + `}`)
		if err != nil {
			t.Fatal(err)
		}
		return p.clauseDigest(p.Statements[0], "aws")
	}
	variable := strings.Replace(plainStatement, `"a"`, `"${aws:PrincipalTag/a}"`, 1)
	if clause(version2012, plainStatement) != clause(version2012, strings.Replace(plainStatement, `"Sid":"s",`, "", 1)) {
		t.Error("the Sid counts")
	}
	if clause(version2012, plainStatement) != clause(version2008, plainStatement) {
		t.Error("the Version counts without variables")
	}
	if clause(version2012, variable) == clause(version2008, variable) {
		t.Error("the Version does not count for a variable")
	}
}
