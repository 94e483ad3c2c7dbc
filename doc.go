// Package baixa is the repository itself: its rules are tests in repo_test.go. The programs are in cmd, the services in services.
package baixa
