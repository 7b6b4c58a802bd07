package notify

import (
	"context"
	"encoding/json"
	"errors"

	"byokwatch/core/alert"
)

// Heartbeat calls an address outside after each complete sweep. Whoever listens
// there raises the alarm when the calls stop: the one failure that byokwatch
// can't tell of itself.
type Heartbeat struct {
	resolve func(context.Context) (string, error)
	client  *Client
}

// Beat is all that a heartbeat says. It goes to a third party, so it holds no
// names.
type Beat struct {
	Keys int `json:"keys"` // keys that the sweep looked at
}

// NewHeartbeat returns a heartbeat whose address is resolved for each call.
func NewHeartbeat(resolve func(context.Context) (string, error), c *Client) (*Heartbeat, error) {
	if resolve == nil || c == nil {
		return nil, errors.New("heartbeat: needs an address and a client")
	}
	return &Heartbeat{resolve, c}, nil
}

// Beat posts {"keys":N}; any 2xx is an acceptance. The error, an
// *alert.Undelivered, never holds the address. A missed beat needs no second
// attempt: the next sweep beats again.
func (h *Heartbeat) Beat(ctx context.Context, b Beat) error {
	body, err := json.Marshal(b)
	if err != nil {
		return err
	}
	a, u := send(ctx, h.resolve, h.client, body)
	if u == nil && (a.status < 200 || a.status > 299) {
		u = refusal(a)
	}
	if u != nil {
		u.Channel = "heartbeat"
		return u
	}
	return nil
}

// send resolves the address and posts to it.
func send(ctx context.Context, resolve func(context.Context) (string, error), c *Client, body []byte) (answer, *alert.Undelivered) {
	address, err := resolve(ctx)
	if err != nil {
		// The resolver's words name the reference, not the value, which it
		// could not get.
		return answer{}, &alert.Undelivered{Why: "its address can't be had: " + err.Error(), Err: err}
	}
	return c.post(ctx, address, body)
}
