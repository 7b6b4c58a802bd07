package keyvault

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
)

func TestHowLongAzureAsksToBeLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for text, want := range map[string]time.Duration{
			"": 0, "17": 17 * time.Second, "-1": 0, "soon": 0,
			time.Now().Add(30 * time.Second).UTC().Format(http.TimeFormat): 30 * time.Second,
			time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat):       0,
		} {
			e := &azcore.ResponseError{RawResponse: &http.Response{Header: http.Header{"Retry-After": {text}}}}
			if got := after(e); got != want {
				t.Errorf("%q: %s, want %s", text, got, want)
			}
		}
		if got := after(&azcore.ResponseError{}); got != 0 {
			t.Errorf("without an answer: %s", got)
		}
	})
}
