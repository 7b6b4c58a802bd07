package alert

import (
	"time"

	"byokwatch/core"
)

// Alert is one entry of the catalogue with the facts of one case: what is
// stored, and rendered anew each time it is sent.
type Alert struct {
	// ID is subject and code: the same event, told twice, has the same ID.
	ID    string    `json:"id"`
	Code  Code      `json:"code"`
	At    time.Time `json:"at"`
	Facts Facts     `json:"facts"`
	// Repeat counts reminders; 0 is the first telling.
	Repeat int `json:"repeat,omitempty"`
	// Again is set when the sending of this very alert may have reached the
	// channel already.
	Again bool `json:"again,omitempty"`
}

// Facts is what an alert may say. Which fields a code uses is the catalogue's
// business; a field that is empty is left out of the message. Strings inside
// Findings, Changes, Who, Actor and Detail are foreign text.
type Facts struct {
	Key      core.Key           `json:"key,omitzero"`
	Incident string             `json:"incident,omitempty"` // incident ID
	State    core.State         `json:"state,omitempty"`
	Findings []core.Finding     `json:"findings,omitempty"` // those worth telling
	Lost     []core.Requirement `json:"lost,omitempty"`
	Never    []core.Requirement `json:"never,omitempty"`
	Total    int                `json:"total,omitempty"` // how many permissions Confluent needs

	// Who is the suspect; nil renders as "not yet known".
	Who *core.Change `json:"who,omitempty"`
	// Others are later or additional suspects of the same incident.
	Others []core.Change `json:"others,omitempty"`

	LostAt    time.Time `json:"lostAt,omitzero"` // when access went
	SeenAt    time.Time `json:"seenAt,omitzero"` // when we looked
	Restored  time.Time `json:"restored,omitzero"`
	Confirmed time.Time `json:"confirmed,omitzero"`
	Watch     time.Time `json:"watch,omitzero"` // watched until
	Until     time.Time `json:"until,omitzero"` // what happens then depends on the code

	// Candidate is the restore that was, or would be, written.
	Candidate string `json:"candidate,omitempty"`
	// Done is what changed by our own hand; Kept what we left of the others'
	// edit; Returned (whole snapshot) what else came back or went.
	Done []core.Difference `json:"done,omitempty"`
	Kept []core.Difference `json:"kept,omitempty"`
	// Left is what a restore left out, and why.
	Left []string `json:"left,omitempty"`
	// Commands a person may run; grammar-checked, safe to paste.
	Commands []string `json:"commands,omitempty"`
	// Fragment is the policy text a person may add.
	Fragment string `json:"fragment,omitempty"`
	// Detail is one line of plain words: an error, a marker, a reason.
	Detail string `json:"detail,omitempty"`
	// By is the person of a hold or request.
	By string `json:"by,omitempty"`

	From core.Digest `json:"from,omitempty"`
	To   core.Digest `json:"to,omitempty"`
	// Generation of the snapshot concerned.
	Generation int `json:"generation,omitempty"`
	// Subject names what is told of when there is no key: an event ID.
	Subject string `json:"subject,omitempty"`
	// Keys lists several keys told of in one post.
	Keys []string `json:"keys,omitempty"`
}
