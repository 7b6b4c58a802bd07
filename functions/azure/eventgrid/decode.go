// Package eventgrid is the Azure door: it turns the bytes of one event of Event
// Grid into Changes, each saying "look at this key". [Operations] lists what it
// understands; the deployment's event subscriptions filter by the same list. Both
// forms of events are read, Event Grid's own and CloudEvents 1.0.
//
// Access to a key may be taken far above it, by an assignment at its resource
// group, by a role that is emptied. Such an event becomes one Change for each
// configured key that it may touch.
//
// Events are best effort, late, repeated and unordered. They say that something
// was done to a resource and who did it, and nothing of what was done. So an
// event only ever selects a key that is configured already and names a suspect;
// nothing of it builds a request. That is also why it is read tolerantly, unlike
// everything that decides something: unknown members, objects written as texts,
// numbers in place of strings and absent parts cost at most a detail of "who".
// What cannot be understood at all is an error, because a watchdog that drops
// what it does not understand is blind without knowing it.
//
// Shapes: https://learn.microsoft.com/azure/event-grid/event-schema-subscriptions,
// https://learn.microsoft.com/azure/event-grid/event-schema-key-vault and
// https://learn.microsoft.com/azure/event-grid/cloud-event-schema.
package eventgrid

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"byokwatch/core"
	"byokwatch/core/loose"
)

const (
	// MaxBytes is more than Event Grid delivers, which is 1 MB, in whatever layout
	// the host writes it anew: https://learn.microsoft.com/azure/event-grid/quotas-limits
	MaxBytes = 4 << 20
	maxID    = 300
)

// Decode returns one Change for each of keys that the event may touch. It
// returns none, and no error, for what failed, for types and operations outside
// [Operations] and for resources that decide about none of keys. An error means
// that the event could not be understood; [ID] still identifies it.
func Decode(event []byte, keys []core.Key) ([]core.Change, error) {
	e, err := read(event)
	if err != nil {
		return nil, err
	}
	eventType := e.Text("eventType")
	if eventType == "" {
		eventType = e.Text("type")
	}
	switch {
	case eventType == "":
		return nil, errors.New("event: no eventType and no type, so not from Event Grid")
	case strings.EqualFold(eventType, accessPolicyChanged):
		return ofVault(event, e, keys)
	case !done(eventType):
		return nil, nil
	}
	data := e.Unwrapped("data")
	if data == nil {
		return nil, errors.New("event: data is no object")
	}
	rights := data.Unwrapped("authorization")
	name := data.Text("operationName")
	if name == "" {
		name = rights.Text("action")
	}
	if name == "" {
		return nil, errors.New("event: neither an operation nor an action is named")
	}
	known, ok := lookup(name)
	if !ok {
		return nil, nil
	}
	on := firstResource(data.Text("resourceUri"), e.Text("subject"), rights.Text("scope"))
	if on == "" {
		return nil, fmt.Errorf("event: %s names no resource", known.Name)
	}
	c := change(event, e, known)
	c.Resource, c.Actor = on, actor(data)
	scope := scopeOf(on)
	return fan(keys, c, func(k *core.Key) bool { return known.Reach.touches(scope, k) }), nil
}

// ofVault reads an event of Key Vault itself, which comes from a vault's topic
// and is about that vault. Its data is that of a key's events and tells nothing
// more; the vault's name in it is unique in all of Azure.
func ofVault(event []byte, e loose.Object, keys []core.Key) ([]core.Change, error) {
	known, _ := lookup(accessPolicyChanged)
	c := change(event, e, known)
	c.Resource = firstResource(e.Text("topic"), e.Text("source"))
	if !strings.Contains(c.Resource, "/vaults/") {
		name := strings.ToLower(e.Unwrapped("data").Text("VaultName"))
		if name == "" {
			return nil, errors.New("event: neither its topic nor its data names a vault")
		}
		i := slices.IndexFunc(keys, func(k core.Key) bool { return strings.HasSuffix(k.Vault, "/vaults/"+name) })
		if i < 0 {
			return nil, nil
		}
		c.Resource = keys[i].Vault
	}
	return fan(keys, c, func(k *core.Key) bool { return known.Reach.touches(c.Resource, k) }), nil
}

// change is what every Change of an event says.
func change(event []byte, e loose.Object, known Operation) core.Change {
	return core.Change{Kind: known.Kind, Takes: known.Takes, EventID: identify(event, e), At: when(e), Op: known.Name}
}

// fan makes one Change for each key of Azure that is touched.
func fan(keys []core.Key, c core.Change, touched func(*core.Key) bool) []core.Change {
	var out []core.Change
	for i := range keys {
		if keys[i].Cloud == core.Azure && touched(&keys[i]) {
			c.Key = keys[i].ID
			out = append(out, c)
		}
	}
	return out
}

// read finds the event's object: it may have been written as a text, and Event
// Grid's own form is an array of one.
func read(event []byte) (loose.Object, error) {
	if len(event) > MaxBytes {
		return nil, fmt.Errorf("event of %d bytes, more than Event Grid delivers", len(event))
	}
	event = loose.Unwrap(event)
	if text := bytes.TrimLeft(event, " \t\r\n"); len(text) > 0 && text[0] == '[' {
		var all []json.RawMessage
		if err := json.Unmarshal(text, &all); err != nil {
			return nil, fmt.Errorf("event: %w", err)
		}
		if len(all) != 1 {
			return nil, fmt.Errorf("event: a list of %d: the host hands events over one by one", len(all))
		}
		event = all[0]
	}
	e, err := loose.Read(event)
	if err != nil {
		return nil, fmt.Errorf("event: %w", err)
	}
	return e, nil
}

// firstResource is the first of some texts that is an ID of a resource.
func firstResource(ids ...string) string {
	for _, id := range ids {
		if id = resource(id); id != "" && len(id) <= loose.MaxText {
			return id
		}
	}
	return ""
}

// ID identifies an event over redeliveries, by the ID that it has in either
// form. Without one it is a digest of the bytes. It answers for every input, also
// for one that Decode refuses.
func ID(event []byte) string {
	e, err := read(event)
	if err != nil {
		e = nil
	}
	return identify(event, e)
}

func identify(event []byte, e loose.Object) string {
	if id := e.Text("id"); id != "" && len(id) <= maxID {
		return id
	}
	return fmt.Sprintf("sha256:%x", sha256.Sum256(event))
}

// when is the moment that the cloud gives.
func when(e loose.Object) time.Time { return loose.Time(cmp.Or(e.Text("eventTime"), e.Text("time"))) }
