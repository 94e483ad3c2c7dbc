//go:build !race

package deployment

const raceEnabled = false
