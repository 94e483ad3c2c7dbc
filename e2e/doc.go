// Package e2e tests Baixa as its users meet it: the real binary as child processes, a real PostgreSQL, and simulators of the
// providers, of Telegram and of Meta, all through the front door. One suite runs on both deployments, `baixa up` and four
// separate processes over TCP; each test has a merchant of its own, so that they run side by side.
//
// What it refuses to do: look into the database, import a service's packages, or wait for time to pass. It waits for things to
// happen, and fails when they do not. Into the database it only writes what a test is about: a row that time has aged, or that
// somebody edited by hand.
package e2e
