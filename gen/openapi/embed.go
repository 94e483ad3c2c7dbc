// Package openapi holds the API's description as it is generated from the contracts, for programs that serve it. This file is
// the only one below gen that is written by hand: an embedded file cannot lie outside of its package's folder, and a copy drifts.
package openapi

import _ "embed"

//go:embed baixa.swagger.json
var document string

// JSON is the description in OpenAPI 2, as generated.
func JSON() string { return document }
