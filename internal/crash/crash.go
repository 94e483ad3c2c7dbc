// Package crash is what may be told of a panic: the type of what was thrown, and where.
//
// It refuses to tell the value, which may hold a secret, a CPF or a body, and the words that functions were called with.
package crash

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

const depth = 64 // calls that are told

// Error is a panic that was recovered. Its text says what was thrown and in which function, its record in a log also who called that.
type Error struct {
	thrown string
	calls  []string
}

// Of makes an Error of what recover gave, which must not be nil; call it in the deferred function, while the stack is still there.
func Of(value any) *Error {
	e := &Error{thrown: fmt.Sprintf("a value of type %T", value)}
	if bug, ok := value.(runtime.Error); ok { // an index, a nil, a type: the runtime's own words
		e.thrown = bug.Error()
	}
	var at [depth]uintptr
	frames := runtime.CallersFrames(at[:runtime.Callers(2, at[:])])
	for more := true; more; {
		var f runtime.Frame
		f, more = frames.Next()
		if f.Function == "runtime.gopanic" {
			e.calls = nil // what ran since is the recovery
		}
		if len(e.calls) == 0 && strings.HasPrefix(f.Function, "runtime.") {
			continue // how a bug becomes a panic
		}
		e.calls = append(e.calls, f.Function+" "+filepath.Base(f.File)+":"+strconv.Itoa(f.Line))
	}
	return e
}

// Error implements error.
func (e *Error) Error() string { return "panic: " + e.thrown + " in " + e.calls[0] }

// LogValue implements slog.LogValuer.
func (e *Error) LogValue() slog.Value {
	return slog.GroupValue(slog.String("panic", e.thrown), slog.String("stack", strings.Join(e.calls, "\n")))
}
