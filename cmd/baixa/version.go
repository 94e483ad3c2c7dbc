package main

import "fmt"

// version is set when a release is built.
var version = "development"

type versionCmd struct{}

func (versionCmd) Run() error {
	_, err := fmt.Println("baixa", version)
	return err
}
