package auditlog

import (
	"crypto/sha256"
	"fmt"
	"time"

	"byokwatch/core/loose"
)

// maxID bounds an entry's ID: a log's name, an insert ID and a timestamp.
const maxID = 300

// ID identifies an entry over redeliveries, by whichever way it comes: the
// log's name, the insert ID, or that of the whole where a long entry was
// split, and the timestamp. Without these it is a digest of the bytes. It
// answers for every input, also for one that Decode refuses.
//
// https://docs.cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry
func ID(entry []byte) string {
	digest := fmt.Sprintf("sha256:%x", sha256.Sum256(entry))
	if len(entry) > MaxBytes {
		return digest
	}
	e, err := loose.Read(entry)
	if err != nil {
		return digest
	}
	insert := e.Object("split").Text("uid")
	if insert == "" {
		insert = e.Text("insertId")
	}
	at := when(e)
	id := e.Text("logName") + "/" + insert + "/" + at.Format(time.RFC3339Nano)
	if insert == "" || at.IsZero() || len(id) > maxID {
		return digest
	}
	return id
}

// when is the moment that the log gives.
func when(entry loose.Object) time.Time { return loose.Time(entry.Text("timestamp")) }
