// Package notify is the channels that alerts go to, and the heartbeat that
// tells somebody outside that byokwatch still looks.
//
// A channel lays out an [alert.Message] in its own language and decides nothing
// about it but two things: which alerts it wants ([Filter]), and how little
// space it has. It keeps no queue and tries nothing twice: Send either has the
// channel's acceptance in hand and returns nil, or returns an
// [*alert.Undelivered] that says when another attempt makes sense. The loop in
// core/watchdog does the rest, from its record.
//
// A webhook's address is a secret and a way into a network at once. So it is
// resolved for each sending and never kept, appears in no error and no name,
// and is reached only through a [Client], which speaks https to public
// addresses, checked when the connection is made, follows no redirect and asks
// no proxy. Nothing here reads the environment: references to secrets arrive as
// functions.
package notify
