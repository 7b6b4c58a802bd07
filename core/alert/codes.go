package alert

// Code names an entry of the catalogue. It is part of an alert's identity, the
// runbook's headings and the logs: never rename one.
type Code string

const (
	// page: somebody must act now; repeated while it lasts.

	LockedOut     Code = "locked-out"     // we may no longer write, or read, this key
	CannotRestore Code = "cannot-restore" // lost, and no candidate could be written
	Contested     Code = "contested"      // somebody keeps re-applying the loss
	NotRecovered  Code = "not-recovered"  // restored, and broken again or never confirmed within the watch
	Blind         Code = "watchdog-blind" // key or store can't be read, or the record is gone
	KeyDisabled   Code = "key-disabled"   // nobody can use the key
	KeyDeleting   Code = "key-deletion"   // the key is scheduled for deletion
	OnlyConfluent Code = "deny-confluent" // a new Deny names nobody but Confluent: meant?
	GuardRefused  Code = "guard-refused"  // the write guard stopped a restore
	RoleMisused   Code = "role-misused"   // our identity wrote something we did not
	HoldEndedBad  Code = "hold-ended"     // a hold ended over a broken key
	RecordLost    Code = "record-lost"    // the record is gone or forged; kept snapshots are used
	Observed      Code = "would-restore"  // lost, and mode observe or a hold forbids the write
	NeverHad      Code = "never-had"      // configured, and neither live nor snapshot gives it

	// post: worth reading today.

	Restored        Code = "restored"
	RestoredPartly  Code = "restored-in-part"
	RestoredUnsure  Code = "restored-unconfirmed"
	Recovered       Code = "recovered"
	Unclear         Code = "undetermined"
	Expiring        Code = "expiring"
	KeyExpiring     Code = "key-expiring" // the key's own validity ends
	RightsGone      Code = "rights-gone"  // a right of the watchdog is gone, Confluent is fine
	FirstSnapshot   Code = "first-snapshot"
	Widened         Code = "promoted-wider"   // promoted, and it admits somebody or loses a Deny
	NeedsAcceptance Code = "needs-acceptance" // waits for snapshot accept
	Revoked         Code = "revoked"
	MarkerGone      Code = "marker-vanished"
	Reinstated      Code = "reinstated"
	HoldEnding      Code = "hold-ending"
	Overwrote       Code = "overwrote-fix" // our write replaced somebody's correct policy
	GrantRevoked    Code = "grant-revoked"
	EventUnreadable Code = "event-unreadable"
	ProtectsLess    Code = "protects-less"   // the configuration protects less than before
	RequestRefused  Code = "request-refused" // a hold, accept or reinstate request that can't be followed
	StoreReadOnly   Code = "store-read-only" // restored without a record

	// log: never sent to a chat by default.

	Promoted Code = "promoted"
)
