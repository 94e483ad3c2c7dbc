package deployment

import (
	"regexp"
	"strings"
	"sync"
)

// Canaries are secrets that must never be seen where they do not belong. The zero value is ready.
type Canaries struct {
	mu      sync.Mutex
	secrets map[string]bool
}

// Add tells a secret of at least eight characters; shorter ones turn up by chance and are refused by panic.
func (c *Canaries) Add(secret string) {
	if len(secret) < 8 {
		panic("deployment: a canary needs eight characters")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.secrets == nil {
		c.secrets = map[string]bool{}
	}
	c.secrets[secret] = true
}

// traces are what a program says when it has a defect.
var traces = regexp.MustCompile(`WARNING: DATA RACE|panic: |fatal error: |goroutine \d+ \[|SQLSTATE|runtime error`)

// InOutput is what is wrong with a process's output: the first line that has a canary or a defect's words, with the canary
// masked. Empty when nothing is.
func (c *Canaries) InOutput(text string) string {
	for line := range strings.Lines(text) {
		if s := c.find(line); s != "" {
			return "a secret (" + s[:4] + "…) is in: " + strings.ReplaceAll(line, s, "***")
		}
		if word := defects.FindString(line); word != "" {
			return "a defect shows: " + line
		}
	}
	return ""
}

// InAnswer is what is wrong with an answer: a canary, or words that only programmers should see. Empty when nothing is.
func (c *Canaries) InAnswer(text string) string {
	if s := c.find(text); s != "" {
		return "a secret (" + s[:4] + "…) is in it"
	}
	if word := traces.FindString(text); word != "" {
		return "it shows " + word
	}
	return ""
}

// defects are the words for outputs; SQLSTATE may stand there.
var defects = regexp.MustCompile(`WARNING: DATA RACE|^panic: |^fatal error: |runtime error: `)

func (c *Canaries) find(text string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	for s := range c.secrets {
		if strings.Contains(text, s) {
			return s
		}
	}
	return ""
}
