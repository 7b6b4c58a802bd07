package endpoint

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
)

func TestWhereGoogleClientsMayGo(t *testing.T) {
	files := func(name string) ([]byte, error) {
		switch name {
		case "/key.json":
			return []byte(`{"type":"service_account","token_uri":"https://oauth2.googleapis.com/token"}`), nil
		case "/federation.json":
			return []byte(`{"type":"external_account","token_url":"https://sts.googleapis.com/v1/token"}`), nil
		case "/dummy.json":
			return []byte(`{"type":"service_account","token_uri":"http://127.0.0.1:9/token"}`), nil
		case "/secret":
			return nil, errors.New("permission denied")
		}
		return nil, fs.ErrNotExist
	}
	const creds, kms, gcs = "GOOGLE_APPLICATION_CREDENTIALS=", "BYOKWATCH_CLOUDKMS_ENDPOINT=", "BYOKWATCH_STORAGE_ENDPOINT="
	for what, c := range map[string]struct {
		env  []string
		want string // part of the error; empty: allowed
	}{
		"nothing":                                  {nil, ""},
		"an empty setting":                         {[]string{kms}, ""},
		"an emulator":                              {[]string{kms + "http://127.0.0.1:8085", "BYOKWATCH_IAM_ENDPOINT=http://localhost:8085/", "BYOKWATCH_CLOUDRESOURCEMANAGER_ENDPOINT=http://[::1]:1"}, ""},
		"an emulator of Cloud Storage":             {[]string{"STORAGE_EMULATOR_HOST=127.0.0.1:4443"}, ""},
		"the same as a URL":                        {[]string{"STORAGE_EMULATOR_HOST=http://localhost:4443"}, ""},
		"an emulator elsewhere":                    {[]string{"STORAGE_EMULATOR_HOST=storage.evil.example:443"}, "STORAGE_EMULATOR_HOST"},
		"Google itself as emulator":                {[]string{"STORAGE_EMULATOR_HOST=https://storage.googleapis.com"}, "STORAGE_EMULATOR_HOST"},
		"an emulator with a key file":              {[]string{kms + "http://127.0.0.1:1", creds + "/key.json"}, "BYOKWATCH_CLOUDKMS_ENDPOINT"},
		"storage's emulator with a key file":       {[]string{"STORAGE_EMULATOR_HOST=localhost:1", creds + "/key.json"}, "STORAGE_EMULATOR_HOST"},
		"an emulator with federation":              {[]string{kms + "http://127.0.0.1:1", creds + "/federation.json"}, "BYOKWATCH_CLOUDKMS_ENDPOINT"},
		"an emulator with a dummy key file":        {[]string{kms + "http://127.0.0.1:1", creds + "/dummy.json"}, ""},
		"an emulator with a file that is gone":     {[]string{kms + "http://127.0.0.1:1", creds + "/gone.json"}, ""},
		"an emulator with a file nobody reads":     {[]string{kms + "http://127.0.0.1:1", creds + "/secret"}, "permission denied"},
		"a key file alone":                         {[]string{creds + "/key.json"}, ""},
		"Google's own hosts":                       {[]string{kms + "https://cloudkms.googleapis.com/", gcs + "https://storage.googleapis.com:443", creds + "/key.json"}, ""},
		"a region's host":                          {[]string{kms + "https://cloudkms.europe-west3.rep.googleapis.com"}, ""},
		"a host for client certificates":           {[]string{kms + "https://cloudkms.mtls.googleapis.com"}, ""},
		"Private Service Connect":                  {[]string{gcs + "https://storage-myendpoint.p.googleapis.com"}, ""},
		"Google in the clear":                      {[]string{kms + "http://cloudkms.googleapis.com"}, "BYOKWATCH_CLOUDKMS_ENDPOINT"},
		"another service of Google":                {[]string{kms + "https://storage.googleapis.com"}, "BYOKWATCH_CLOUDKMS_ENDPOINT"},
		"somebody's bucket":                        {[]string{gcs + "https://evil.storage.googleapis.com"}, "BYOKWATCH_STORAGE_ENDPOINT"},
		"a path, where a bucket would be":          {[]string{gcs + "https://storage.googleapis.com/evil"}, "BYOKWATCH_STORAGE_ENDPOINT"},
		"a name that begins like Google's":         {[]string{kms + "https://cloudkms.googleapis.com.evil.example"}, "BYOKWATCH_CLOUDKMS_ENDPOINT"},
		"a name that ends like Google's":           {[]string{kms + "https://evilcloudkms.googleapis.com"}, "BYOKWATCH_CLOUDKMS_ENDPOINT"},
		"another port":                             {[]string{kms + "https://cloudkms.googleapis.com:8443"}, "BYOKWATCH_CLOUDKMS_ENDPOINT"},
		"the metadata server":                      {[]string{kms + "http://169.254.169.254"}, "BYOKWATCH_CLOUDKMS_ENDPOINT"},
		"a private address":                        {[]string{kms + "http://10.0.0.7"}, "BYOKWATCH_CLOUDKMS_ENDPOINT"},
		"a password":                               {[]string{kms + "https://u:p@cloudkms.googleapis.com"}, "BYOKWATCH_CLOUDKMS_ENDPOINT"},
		"a query":                                  {[]string{kms + "http://127.0.0.1/?a=b"}, "BYOKWATCH_CLOUDKMS_ENDPOINT"},
		"no URL":                                   {[]string{kms + "127.0.0.1:1"}, "BYOKWATCH_CLOUDKMS_ENDPOINT"},
		"a service that is never called":           {[]string{"BYOKWATCH_PUBSUB_ENDPOINT=https://pubsub.googleapis.com"}, "no such service"},
		"another universe":                         {[]string{"GOOGLE_CLOUD_UNIVERSE_DOMAIN=evil.example"}, "GOOGLE_CLOUD_UNIVERSE_DOMAIN"},
		"Google's universe":                        {[]string{"GOOGLE_CLOUD_UNIVERSE_DOMAIN=googleapis.com"}, ""},
		"another metadata server":                  {[]string{"GCE_METADATA_HOST=evil.example"}, "GCE_METADATA_HOST"},
		"the metadata server's own name":           {[]string{"GCE_METADATA_HOST=metadata.google.internal:80"}, ""},
		"a metadata server on this machine":        {[]string{"GCE_METADATA_HOST=127.0.0.1:8080"}, ""},
		"the first by name of two":                 {[]string{"GOOGLE_CLOUD_UNIVERSE_DOMAIN=x", kms + "http://x"}, "BYOKWATCH_CLOUDKMS_ENDPOINT"},
		"settings that only look like an endpoint": {[]string{"BYOKWATCH_CONFIG=gs://x/y", "OTHER_ENDPOINT=http://x"}, ""},
	} {
		t.Run(what, func(t *testing.T) {
			err := CheckGCP(c.env, files)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}
