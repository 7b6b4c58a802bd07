package endpoint_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"byokwatch/core/endpoint"
)

const (
	dummy = "AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE\nAWS_SECRET_ACCESS_KEY=x"
	real  = "AWS_ACCESS_KEY_ID=ASIAQWERTYUIOPASDFGH\nAWS_SECRET_ACCESS_KEY=x\nAWS_SESSION_TOKEN=y"
)

func TestCheckAWS(t *testing.T) {
	for name, c := range map[string]struct {
		env, file string
		want      string // part of the error; empty: allowed
	}{
		"nothing is set":                           {real, "", ""},
		"loopback with dummy credentials":          {dummy + "\nAWS_ENDPOINT_URL=http://127.0.0.1:4566", "", ""},
		"loopback of version 6":                    {dummy + "\nAWS_ENDPOINT_URL=http://[::1]:4566", "", ""},
		"localhost with made-up credentials":       {"AWS_ACCESS_KEY_ID=test\nAWS_SECRET_ACCESS_KEY=test\nAWS_ENDPOINT_URL_KMS=https://localhost:1", "", ""},
		"loopback with real credentials":           {real + "\nAWS_ENDPOINT_URL_KMS=http://127.0.0.1:4566", "", "AWS_ENDPOINT_URL_KMS is refused: it points to this machine (127.0.0.1:4566), which is for tests and needs dummy credentials"},
		"loopback with credentials from elsewhere": {"AWS_ENDPOINT_URL=http://127.0.0.1:4566", "", "needs dummy credentials"},
		"half of the credentials":                  {"AWS_ACCESS_KEY_ID=test\nAWS_ENDPOINT_URL=http://127.0.0.1", "", "needs dummy credentials"},
		"another host":                             {dummy + "\nAWS_ENDPOINT_URL_S3=https://evil.example", "", "AWS_ENDPOINT_URL_S3 is refused: evil.example is neither this machine nor an https host of AWS"},
		"a private address":                        {dummy + "\nAWS_ENDPOINT_URL=http://10.0.0.1", "", "neither"},
		"the metadata address":                     {dummy + "\nAWS_ENDPOINT_URL=http://169.254.169.254", "", "neither"},
		"a host that begins like loopback":         {dummy + "\nAWS_ENDPOINT_URL=http://127.0.0.1.evil.example", "", "neither"},
		"loopback as the user of another host":     {dummy + "\nAWS_ENDPOINT_URL=http://127.0.0.1@evil.example", "", "not the URL"},
		"no URL":                                   {dummy + "\nAWS_ENDPOINT_URL=127.0.0.1:80", "", "not the URL"},
		"another scheme":                           {dummy + "\nAWS_ENDPOINT_URL=ftp://127.0.0.1", "", "neither"},
		"KMS of a Region":                          {real + "\nAWS_ENDPOINT_URL_KMS=https://kms.us-west-2.amazonaws.com", "", ""},
		"KMS with a port":                          {real + "\nAWS_ENDPOINT_URL_KMS=https://kms.us-west-2.amazonaws.com:443/", "", ""},
		"FIPS":                                     {real + "\nAWS_ENDPOINT_URL_KMS=https://kms-fips.us-gov-west-1.amazonaws.com", "", ""},
		"dual stack":                               {real + "\nAWS_ENDPOINT_URL_S3=https://s3.dualstack.eu-west-1.amazonaws.com", "", ""},
		"an interface endpoint":                    {real + "\nAWS_ENDPOINT_URL_KMS=https://vpce-0a1b-2c3d.kms.us-east-1.vpce.amazonaws.com", "", ""},
		"China":                                    {real + "\nAWS_ENDPOINT_URL_KMS=https://kms.cn-north-1.amazonaws.com.cn", "", ""},
		"AWS without https":                        {real + "\nAWS_ENDPOINT_URL_KMS=http://kms.us-west-2.amazonaws.com", "", "neither"},
		"somebody's API below amazonaws.com":       {real + "\nAWS_ENDPOINT_URL_KMS=https://abc123.execute-api.us-west-2.amazonaws.com", "", "neither"},
		"somebody's bucket":                        {real + "\nAWS_ENDPOINT_URL_S3=https://evil.s3.us-west-2.amazonaws.com", "", "neither"},
		"somebody's endpoint service":              {real + "\nAWS_ENDPOINT_URL_KMS=https://vpce-0a-1b.vpce-svc-0c.us-east-1.vpce.amazonaws.com", "", "neither"},
		"a load balancer":                          {real + "\nAWS_ENDPOINT_URL_KMS=https://kms.us-west-2.elb.amazonaws.com", "", "neither"},
		"AWS as a beginning":                       {real + "\nAWS_ENDPOINT_URL_KMS=https://kms.us-west-2.amazonaws.com.evil.example", "", "neither"},
		"a path":                                   {real + "\nAWS_ENDPOINT_URL_KMS=https://kms.us-west-2.amazonaws.com/x", "", "neither"},
		"another port":                             {real + "\nAWS_ENDPOINT_URL_KMS=https://kms.us-west-2.amazonaws.com:8443", "", "neither"},
		"ignored, but wrong":                       {real + "\nAWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true\nAWS_ENDPOINT_URL=https://evil.example", "", "AWS_ENDPOINT_URL is refused"},
		"our own setting":                          {real + "\nBYOKWATCH_KMS_ENDPOINT=https://evil.example", "", "BYOKWATCH_KMS_ENDPOINT is refused"},
		"an empty setting":                         {real + "\nAWS_ENDPOINT_URL=", "", ""},
		"a profile":                                {real, "[default]\nregion = us-west-2\nendpoint_url = https://evil.example\n", "endpoint_url in [default] of /c is refused: evil.example"},
		"a nested setting of a profile":            {real, "[default]\ns3 =\n  endpoint_url = https://evil.example\n", "endpoint_url in [default]"},
		"a services section":                       {real, "[default]\nservices = a\n[services a]\nkms =\n  endpoint_url=https://evil.example\n", "endpoint_url in [services a]"},
		"a profile that is not in use":             {real, "[default]\n[profile local]\nendpoint_url = http://127.0.0.1:4566\n", ""},
		"a profile in use":                         {real + "\nAWS_PROFILE=local", "[default]\n[profile local]\nendpoint_url = http://127.0.0.1:4566\n", "needs dummy"},
		"a services section of another profile":    {real, "[profile x]\nservices = a\n[services a]\nkms =\n  endpoint_url=https://evil.example\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			read := func(name string) ([]byte, error) {
				if name == "/c" {
					return []byte(c.file), nil
				}
				return nil, fs.ErrNotExist
			}
			err := endpoint.CheckAWS(append(strings.Split(c.env, "\n"), "AWS_CONFIG_FILE=/c", "HOME=/home"), read)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestCheckAWSReadsWhatTheSDKReads(t *testing.T) {
	var names []string
	refused := errors.New("refused")
	err := endpoint.CheckAWS([]string{"HOME=/home/a"}, func(name string) ([]byte, error) {
		names = append(names, name)
		if len(names) == 2 {
			return nil, refused
		}
		return nil, fs.ErrNotExist
	})
	if got := strings.Join(names, " "); got != "/home/a/.aws/config /home/a/.aws/credentials" || !errors.Is(err, refused) {
		t.Errorf("read %s: %v", got, err)
	}
}
