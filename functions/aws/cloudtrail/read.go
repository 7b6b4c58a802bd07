package cloudtrail

import (
	"crypto/sha256"
	"fmt"

	"byokwatch/core/loose"
)

// maxID bounds an event's ID; CloudTrail's and EventBridge's are UUIDs.
const maxID = 64

// ID identifies an event over redeliveries and re-issues: the ID of the record
// that a re-issued one corrects, else CloudTrail's, else EventBridge's, else a
// digest of the bytes. It answers for every input, also for one that Decode
// refuses.
func ID(event []byte) string {
	digest := fmt.Sprintf("sha256:%x", sha256.Sum256(event))
	if len(event) > MaxBytes {
		return digest
	}
	envelope, err := loose.Read(event)
	if err != nil {
		return digest
	}
	detail := envelope.Object("detail")
	for _, id := range []string{
		detail.Object("addendum").Text("originalEventID"),
		detail.Text("eventID"),
		envelope.Text("id"),
	} {
		if id != "" && len(id) <= maxID {
			return id
		}
	}
	return digest
}
