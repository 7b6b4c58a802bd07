package cloudkms

import (
	"encoding/json"
	"fmt"
	"strings"
)

// printed renders an answer as `gcloud --format=json` does: members sorted,
// absent ones left out, two spaces a level, and no HTML escapes.
func printed(answer any) (string, error) {
	body, err := json.Marshal(answer)
	if err != nil {
		return "", fmt.Errorf("write the answer: %w", err)
	}
	var plain any // its numbers are small: Google's APIs send large ones as text
	if err := json.Unmarshal(body, &plain); err != nil {
		return "", fmt.Errorf("write the answer: %w", err)
	}
	var out strings.Builder
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(plain); err != nil {
		return "", fmt.Errorf("write the answer: %w", err)
	}
	return strings.TrimSuffix(out.String(), "\n"), nil
}
