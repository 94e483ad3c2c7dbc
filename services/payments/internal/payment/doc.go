// Package payment is the domain of a sale: what may happen to it, what follows, and when to look again.
//
// It is pure. Nothing here reads a clock, a database or the network: time is an argument, and the same arguments always give the
// same answer. Two functions carry it: Decide says what one event does to one sale, and Schedule says when its provider is asked next.
// The state machine is one table (table.go); what must be known before the table is asked lies in named guards (guard.go).
//
// The package refuses to decide anything that it was not told: a word that an adapter did not recognise, a reading about another
// charge, or a claim that a policy wants confirmed changes no state.
package payment
