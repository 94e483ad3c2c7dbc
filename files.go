package baixa

import _ "embed" // the demonstration's files

// GrimbotsPayments is testdata/grimbots-payments.csv: sales as the origin system exports them. All of it is invented.
//
//go:embed testdata/grimbots-payments.csv
var GrimbotsPayments []byte

// GrimbotsBots is testdata/grimbots-bots.csv: the bots that sold them.
//
//go:embed testdata/grimbots-bots.csv
var GrimbotsBots []byte

// ProviderTruth is testdata/provider-truth.csv: what the providers know of those sales. Only simulators read it.
//
//go:embed testdata/provider-truth.csv
var ProviderTruth []byte
