package alert

// Catalogue lists every alert, page before post before log. The words are the
// reader's: on call, tired, and without byokwatch in mind for months.
var Catalogue = append(append([]Entry(nil), pages...), append(posts, logs...)...)

const (
	actNow = "🔴 ACT NOW"

	reminder    = "byokwatch looks again at every sweep and says so here once it is over."
	every30     = reminder + " Reminder every 30 minutes."
	codeFix     = "fix the code that made this edit before its next apply, or it happens again"
	meantRevoke = "Confluent shall stay cut off: `byokwatch revoke {key} --reason WHY`"
	meantHold   = "maintenance, leave the key alone for at most 24 h: `byokwatch hold {key} --for 2h --reason WHY`"
	kafkaHealth = "whether Kafka is healthy: byokwatch sees the key, not the cluster."
)

// pages are repeated every 30 minutes while they last.
var pages = []Entry{
	{
		Code: LockedOut, Severity: Critical, Class: Page, Mark: actNow,
		Headlines: []string{"{loss} {since}", "{loss}", "byokwatch may not repair this key"},
		Rows:      []Fact{Cluster, Lost, OurRights, NeverHas, Who, Detail, Done, Left, Unknown, Do, Meant},
		Done:      []string{"nothing: byokwatch has lost a right that it needs to write this policy"},
		Unknown:   []string{kafkaHealth},
		Do:        []string{"repair it as an administrator of the key, {below}", "then wait: " + every30},
		Meant:     []string{meantRevoke},
		Runbook:   "locked-out",
	},
	{
		Code: CannotRestore, Severity: Critical, Class: Page, Mark: actNow,
		Headlines: []string{"{loss} {since}", "{loss}", "byokwatch could not repair this key"},
		Rows:      []Fact{Cluster, Lost, NeverHas, Who, Detail, Done, Left, Unknown, Do, Meant},
		Done:      []string{"nothing could be written: every way back was refused or would not have helped"},
		Unknown:   []string{kafkaHealth},
		Do:        []string{"put the access back by hand, {below}", "then wait: " + every30},
		Meant:     []string{meantRevoke, meantHold},
		Runbook:   "cannot-restore",
	},
	{
		Code: Contested, Severity: Critical, Class: Page, Mark: "🔴 CONTESTED",
		Headlines: []string{"somebody keeps removing Confluent; lost again {since}", "somebody keeps removing Confluent"},
		Rows:      []Fact{Cluster, Who, Lost, Detail, Done, Unknown, Do, Meant},
		Done:      []string{"given back more than 5 times in an hour; from now on at most once in 5 minutes, next not before {until}", "given back more than 5 times in an hour; from now on at most once in 5 minutes"},
		Unknown:   []string{"whether they know what they are doing to Kafka: ask them."},
		Do:        []string{"stop the pipeline or the person named here", codeFix, "until then Confluent loses the key for minutes at a time"},
		Meant:     []string{meantRevoke, meantHold},
		Runbook:   "contested",
	},
	{
		Code: NotRecovered, Severity: Critical, Class: Page, Mark: "🔴 NOT RECOVERED",
		Headlines: []string{"{loss} although it was given back {restoredAgo}", "{loss} {since}", "the restore of {restored} was never confirmed", "the restore did not hold"},
		Rows:      []Fact{Cluster, Timeline, Lost, Doubts, Who, Detail, Done, Left, Unknown, Do, Meant},
		Support:   true,
		Done:      []string{"{restored} given back; the watch since then did not find it well"},
		Unknown:   []string{kafkaHealth},
		Do:        []string{"check the cluster in the Confluent Cloud console", "if clients fail: open a case with Confluent Support, priority 1, with the summary below", every30},
		Meant:     []string{meantRevoke},
		Runbook:   "not-recovered",
	},
	{
		Code: Blind, Severity: Critical, Class: Page, Mark: actNow,
		Headlines: []string{"byokwatch CANNOT SEE this key {since}", "byokwatch CANNOT SEE this key", "byokwatch is blind"},
		Rows:      []Fact{Cluster, Detail, OurRights, Keys, Done, Unknown, Do},
		Done:      []string{"nothing: without reading the key and its record, nothing is written"},
		Unknown:   []string{"whether Confluent can use the key right now."},
		Do:        []string{"check the keys by hand, with an identity that may read them: `byokwatch check`", "give byokwatch back what the detail names, {below}", every30},
		Runbook:   "watchdog-blind",
	},
	{
		Code: KeyDisabled, Severity: Critical, Class: Page, Mark: actNow,
		Headlines: []string{"the key is DISABLED {since}: nobody can use it", "the key is DISABLED: nobody can use it"},
		Rows:      []Fact{Cluster, Who, Detail, Done, Unknown, Do, Meant},
		Done:      []string{"nothing: byokwatch does not enable a key unless the configuration says key_state: restore"},
		Unknown:   []string{"how long the cluster keeps running on keys that it has in memory."},
		Do:        []string{"enable the key, unless it was disabled on purpose, {below}", every30},
		Meant:     []string{meantRevoke, meantHold},
		Runbook:   "key-disabled",
	},
	{
		Code: KeyDeleting, Severity: Critical, Class: Page, Mark: actNow,
		Headlines: []string{"the key will be DELETED at {until}", "the key is scheduled for DELETION"},
		Rows:      []Fact{Cluster, Who, Detail, Done, Unknown, Do, Meant},
		Done:      []string{"nothing: byokwatch never cancels a deletion"},
		Unknown:   []string{"whether somebody wants it gone: ask before you cancel."},
		Do:        []string{"Confluent can't use the key now, and after the deletion all data under it is LOST FOR GOOD", "cancel the deletion, then enable the key, because cancelling leaves it disabled: {below}", every30},
		Meant:     []string{meantRevoke},
		Runbook:   "key-deletion",
	},
	{
		Code: OnlyConfluent, Severity: Critical, Class: Page, Mark: "🔴 MEANT?",
		Headlines: []string{"a new Deny names nobody but Confluent; restored at {until} unless you say no", "a new Deny names nobody but Confluent"},
		Rows:      []Fact{Cluster, Lost, Who, Done, Unknown, Do, Meant},
		Done:      []string{"nothing yet: nobody writes this by mistake, so byokwatch waits until {until} and then gives access back", "nothing yet: nobody writes this by mistake, so byokwatch waits for 30 minutes and then gives access back"},
		Unknown:   []string{"whether it was meant. Confluent CANNOT use this key meanwhile."},
		Do:        []string{"not meant: `byokwatch release {key}` gives access back at once"},
		Meant:     []string{meantRevoke},
		Runbook:   "deny-confluent",
	},
	{
		Code: GuardRefused, Severity: Critical, Class: Page, Mark: actNow,
		Headlines: []string{"{loss} {since}; byokwatch stopped its own restore", "byokwatch stopped its own restore"},
		Rows:      []Fact{Cluster, Lost, Who, Detail, Done, Unknown, Do, Meant},
		Done:      []string{"nothing: the restore would have given more than was lost, so the write guard stopped it"},
		Unknown:   []string{"why it was planned: a fault of byokwatch, or a snapshot or configuration that was tampered with."},
		Do:        []string{"put the access back by hand, {below}", "then report the detail to whoever maintains byokwatch, and see who changed its configuration and store"},
		Meant:     []string{meantRevoke},
		Runbook:   "guard-refused",
	},
	{
		Code: RoleMisused, Severity: Critical, Class: Page, Mark: "🔴 SECURITY",
		Headlines: []string{"byokwatch's own identity wrote this policy, and byokwatch did not"},
		Rows:      []Fact{Cluster, Who, Detail, Subject, Kept, Done, Unknown, Do},
		Done:      []string{"nothing: neither an intent nor a restore of that write is on record, 15 minutes later"},
		Unknown:   []string{"who used the role. Treat it as stolen until you know."},
		Do:        []string{"see in the cloud's audit log which session wrote, and what else it did", "compare the policy with last-known-good: `byokwatch diff {key}`", "take the role away from whatever else uses it"},
		Runbook:   "role-misused",
	},
	{
		Code: HoldEndedBad, Severity: Critical, Class: Page, Mark: actNow,
		Headlines: []string{"the hold is over and {loss}; restored at {until}", "the hold is over and {loss}", "the hold ended over a broken key"},
		Rows:      []Fact{Cluster, By, Lost, NeverHas, Who, Detail, Done, Do, Meant},
		Done:      []string{"nothing yet: access is given back at {until} unless somebody says otherwise", "nothing yet: access is given back 30 minutes after the end of the hold, unless somebody says otherwise"},
		Do:        []string{"maintenance done: `byokwatch release {key}` gives access back at once"},
		Meant:     []string{meantRevoke, "not done yet: `byokwatch hold {key} --for 2h --reason WHY`"},
		Runbook:   "hold-ended",
	},
	{
		Code: RecordLost, Severity: Critical, Class: Page, Mark: "🔴 SECURITY",
		Headlines: []string{"byokwatch's record of this key is gone or forged"},
		Rows:      []Fact{Cluster, Detail, Version, Done, Unknown, Do},
		Done:      []string{"the newest valid kept snapshot, generation {generation}, is used; nothing live was adopted as good", "nothing live was adopted as good; a valid kept snapshot is used if there is one"},
		Unknown:   []string{"who removed or changed it, and which hold, incident or alert was in it."},
		Do:        []string{"see in the store's access log who wrote records/", "compare: `byokwatch snapshot show {key}` and `byokwatch diff {key}`", "a revocation that was only in the record is forgotten: if this key was revoked, say it again with `byokwatch revoke {key} --reason WHY`"},
		Runbook:   "record-lost",
	},
	{
		Code: Observed, Severity: Critical, Class: Page, Mark: actNow,
		Headlines: []string{"{loss} {since}; byokwatch only watches", "{loss}; byokwatch only watches", "Confluent lost access; byokwatch only watches"},
		Rows:      []Fact{Cluster, Lost, NeverHas, Who, By, Detail, Done, Left, Unknown, Do, Meant},
		Done:      []string{"nothing: {held}; without it this would have been restored ({candidate})", "nothing: mode observe; in enforce this would have been restored ({candidate})", "nothing: mode observe or a hold forbids the write"},
		Unknown:   []string{kafkaHealth},
		Do:        []string{"put the access back by hand, {below}", "{held}: once it is no longer needed, `byokwatch release {key}`", reminder},
		Meant:     []string{meantRevoke},
		Runbook:   "would-restore",
	},
	{
		Code: NeverHad, Severity: Critical, Class: Post, Mark: "🔴 NOT GRANTED",
		Headlines: []string{"the configuration names access that Confluent has never had here"},
		Rows:      []Fact{Cluster, NeverHas, Detail, Done, Unknown, Do},
		Done:      []string{"nothing: byokwatch gives back what a snapshot shows and never grants anything new"},
		Unknown:   []string{"whether the policy or the configuration is wrong."},
		Do:        []string{"right role, missing in the policy: grant it yourself, {below}", "wrong role: correct `confluent` in byokwatch.yaml, and see who changed it"},
		Runbook:   "never-had",
	},
}
