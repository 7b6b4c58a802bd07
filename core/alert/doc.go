// Package alert is everything that byokwatch ever tells people: a catalogue
// declared as data, and the pure function that turns one case of it into a
// message that belongs to no chat in particular.
//
// What is stored and queued is an [Alert]: a code and its facts, never a
// finished text, so that nobody who can write to the store can put words into
// a channel, and a message sent after an outage is rendered by today's code.
// [Render] looks the code up in the [Catalogue], fills the sentences that stand
// there with the facts and leaves out every row whose fact is missing. A
// channel in core/notify then only lays the [Message] out.
//
// Nearly every fact is foreign: a user agent, a statement's Sid, the reason of
// a hold are written by whoever edits the policy, who may well be the attacker
// whose edit is being reported. So a [Span] always says whose text it is.
// Foreign text is cut, its invisible characters are spelled out, what a chat
// would turn into a link or a mention is broken, and a channel shows it in
// elements that it does not interpret. Commands to paste are either shown whole
// or not at all. Only the diff, which comes last, is ever cut for space.
//
// The package also holds [Undelivered], the error by which a channel tells the
// loop when to try again, so that the loop need not know any channel.
package alert
