package auditlog

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"byokwatch/core"
	"byokwatch/core/loose"
)

// Delivery is one request of the platform, taken apart.
type Delivery struct {
	// ID is that of the CloudEvent or of the Pub/Sub message, the same for each
	// redelivery; "" where neither is told.
	ID string
	// At is when the message was published; zero where nothing tells.
	At time.Time
	// Entry is the log entry, or the tick.
	Entry []byte
}

// Open takes a request apart. It knows
//
//   - CloudEvents in binary and in structured mode, with Eventarc's audit log
//     entry or with a Pub/Sub message as data
//     (https://docs.cloud.google.com/eventarc/docs/cloudevents);
//   - the body of a push subscription (https://docs.cloud.google.com/pubsub/docs/push)
//     and, where the subscription unwraps payloads, the bare entry
//     (https://docs.cloud.google.com/pubsub/docs/payload-unwrapping);
//   - the event of a first generation function.
//
// An error means that the body is none of these; the Delivery then holds the
// body as its Entry, so that it can be told of.
func Open(header http.Header, body []byte) (Delivery, error) {
	d := Delivery{Entry: body}
	if len(body) > 2*MaxBytes { // base64 and an envelope around the entry
		return d, fmt.Errorf("request of %d bytes, more than Pub/Sub delivers", len(body))
	}
	if header.Get("ce-type") != "" { // a CloudEvent in binary mode
		d.ID, d.At = bounded(header.Get("ce-id")), loose.Time(header.Get("ce-time"))
		return d.inner()
	}
	o, err := loose.Read(body)
	if err != nil {
		return d, fmt.Errorf("request: %w", err)
	}
	switch {
	case strings.HasPrefix(header.Get("Content-Type"), "application/cloudevents") || o.Text("specversion") != "":
		d.ID, d.At = bounded(o.Text("id")), loose.Time(o.Text("time"))
		data := []byte(o.Member("data"))
		if s := o.Text("data_base64"); s != "" {
			if data, err = base64.StdEncoding.DecodeString(s); err != nil {
				return d, fmt.Errorf("CloudEvent: data_base64: %w", err)
			}
		}
		d.Entry = data
		return d.inner()
	case o.Member("context") != nil && o.Member("data") != nil: // a first generation event
		d.ID, d.At = bounded(o.Object("context").Text("eventId")), loose.Time(o.Object("context").Text("timestamp"))
		return d.message(o.Object("data"))
	}
	d.ID = bounded(header.Get("x-goog-pubsub-message-id")) // of an unwrapped payload
	return d.inner()
}

// inner unpacks the Pub/Sub message that the data may be.
func (d Delivery) inner() (Delivery, error) {
	o, err := loose.Read(d.Entry)
	if err != nil {
		return d, fmt.Errorf("event: data: %w", err)
	}
	if o.Member("message") == nil {
		return d, nil // the entry itself
	}
	m := o.Object("message")
	if d.ID == "" {
		d.ID = bounded(m.Text("messageId"))
	}
	if d.At.IsZero() {
		d.At = loose.Time(m.Text("publishTime"))
	}
	return d.message(m)
}

func (d Delivery) message(m loose.Object) (Delivery, error) {
	if m == nil {
		return d, errors.New("message: not a JSON object")
	}
	data, err := base64.StdEncoding.DecodeString(m.Text("data"))
	if err != nil {
		return d, fmt.Errorf("message: data: %w", err)
	}
	if len(data) == 0 {
		return d, errors.New("message: no data")
	}
	d.Entry = data
	return d, nil
}

// Changes is [Decode] of the entry. A tick is known by its delivery, since all
// of them read the same.
func (d Delivery) Changes(keys []core.Key) ([]core.Change, error) {
	changes, err := Decode(d.Entry, keys)
	for i := range changes {
		if changes[i].Kind == core.Tick {
			changes[i].At = d.At
			if d.ID != "" {
				changes[i].EventID = d.ID
			}
		}
	}
	return changes, err
}

// bounded refuses IDs that are longer than any platform's.
func bounded(id string) string {
	if len(id) > 2*maxID {
		return ""
	}
	return id
}
