package gcptest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"byokwatch/core/watchdog/chaostest"
)

// Delivery is a way in which an event reaches a function.
type Delivery string

const (
	// Push is a Pub/Sub push subscription of a log sink's topic
	// (https://docs.cloud.google.com/pubsub/docs/push).
	Push Delivery = "pubsub push"
	// PubSubBinary and PubSubStructured are the same message as a CloudEvent
	// (https://docs.cloud.google.com/eventarc/docs/cloudevents).
	PubSubBinary     Delivery = "pubsub cloudevent, binary"
	PubSubStructured Delivery = "pubsub cloudevent, structured"
	// AuditBinary and AuditStructured are Eventarc's own events of audit logs.
	AuditBinary     Delivery = "eventarc, binary"
	AuditStructured Delivery = "eventarc, structured"
)

// Deliveries are all of them.
var Deliveries = []Delivery{Push, PubSubBinary, PubSubStructured, AuditBinary, AuditStructured}

// Request is the HTTP request by which an event is delivered to a function. It
// is the same for each redelivery but for the body's reader.
func (e Event) Request(d Delivery, url string) *http.Request {
	message := chaostest.Hash(0, "message", e.InsertID, 0)
	switch d {
	case AuditBinary, AuditStructured:
		return request(url, d == AuditStructured, e.attributes(), e.Entry)
	case Push:
		return request(url, false, nil, pushed(e.Entry, message, e.At, map[string]string{"logging.googleapis.com/timestamp": e.At.Format(time.RFC3339Nano)}))
	}
	body := pushed(e.Entry, message, e.At, map[string]string{"logging.googleapis.com/timestamp": e.At.Format(time.RFC3339Nano)})
	return request(url, d == PubSubStructured, published(message, e.At), body)
}

// Tick is the message of the schedule as it is delivered, by way of Pub/Sub.
func (c *Cloud) Tick(d Delivery, url string) *http.Request {
	c.mu.Lock()
	c.serial++
	message, at := chaostest.Hash(c.opts.Seed, "tick", "", c.serial), c.opts.Now().UTC()
	c.mu.Unlock()
	body := pushed([]byte(`{"kind":"sweep"}`), message, at, nil)
	if d == Push {
		return request(url, false, nil, body)
	}
	return request(url, d == PubSubStructured, published(message, at), body)
}

// attributes are those of Eventarc's audit log events.
func (e Event) attributes() map[string]string {
	digits := strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, e.At.Format(time.RFC3339Nano))
	return map[string]string{
		"specversion": "1.0", "type": "google.cloud.audit.log.v1.written", "id": e.Log + "/logs/cloudaudit.googleapis.com%2Factivity" + e.InsertID + digits,
		"source": "//cloudaudit.googleapis.com/" + e.Log + "/logs/activity", "subject": e.Service + "/" + e.Resource,
		"time": e.At.Add(2 * time.Second).Format(time.RFC3339Nano), "recordedtime": e.At.Format(time.RFC3339Nano),
		"dataschema":  "https://googleapis.github.io/google-cloudevents/jsonschema/google/events/cloud/audit/v1/LogEntryData.json",
		"servicename": e.Service, "methodname": e.Method, "resourcename": e.Resource,
	}
}

func published(message uint64, at time.Time) map[string]string {
	return map[string]string{"specversion": "1.0", "type": "google.cloud.pubsub.topic.v1.messagePublished", "id": fmt.Sprint(message),
		"source": "//pubsub.googleapis.com/projects/" + DefaultProject + "/topics/byokwatch", "time": at.Format(time.RFC3339Nano)}
}

func pushed(data []byte, message uint64, at time.Time, attributes map[string]string) []byte {
	m := map[string]any{"data": base64.StdEncoding.EncodeToString(data), "messageId": fmt.Sprint(message), "message_id": fmt.Sprint(message),
		"publishTime": at.Format(time.RFC3339Nano), "publish_time": at.Format(time.RFC3339Nano)}
	if attributes != nil {
		m["attributes"] = attributes
	}
	return []byte(text(map[string]any{"message": m, "subscription": "projects/" + DefaultProject + "/subscriptions/byokwatch"}))
}

// request makes a CloudEvent of a body, in binary or structured mode
// (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md);
// without attributes it is the body alone.
func request(url string, structured bool, attributes map[string]string, body []byte) *http.Request {
	kind := "application/json"
	if structured {
		whole := map[string]any{"datacontenttype": "application/json", "data": json.RawMessage(body)}
		for name, value := range attributes {
			whole[name] = value
		}
		body, kind = []byte(text(whole)), "application/cloudevents+json; charset=utf-8"
	}
	r := must(http.NewRequest(http.MethodPost, url, bytes.NewReader(body)))
	r.Header.Set("Content-Type", kind)
	if !structured {
		for name, value := range attributes {
			r.Header.Set("ce-"+name, value)
		}
	}
	return r
}
