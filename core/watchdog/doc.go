// Package watchdog is the loop: for every key that a Change selects it gathers
// (live policy, record and requests, in parallel), judges, plans and acts.
//
// [Decide] and [Next] are pure: everything they may look at is in a [Sight],
// and everything that shall happen is in the [Plan], the record to save
// included. All reading is in sight.go, all writing in act.go and deliver.go.
//
// The loop is level-triggered. An event says only where to look, so duplicates,
// reordering, forgeries and the echo of our own writes end in a plan to do
// nothing. It records before it acts: the intent that is saved before a write
// is also the lease that keeps everybody else from writing, and what a crash
// leaves behind is enough for the next look to finish the work.
//
// The package knows no cloud. What differs between clouds is behind [Cloud]
// (reading and writing) and [Rules] (judging), and what differs between chats
// behind [Notifier].
package watchdog
