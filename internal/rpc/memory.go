package rpc

import (
	"context"
	"net"
	"sync/atomic"

	"google.golang.org/grpc/test/bufconn"
)

// Memory joins a server and its clients inside one process. Its Listener is served like any other, Dial takes it in place
// of a target, and what stands between them is that of a network connection: interceptors of both sides, deadlines, metadata,
// limits, retries, telemetry, mapping of errors, messages encoded and decoded, nothing of the client's context seen by the server.
//
// Unary calls skip HTTP/2: the handler is called in this process (BenchmarkTransports on 2 cores, 32 callers: HTTP/2 over pipe,
// unix socket or TCP costs alike, and two to five times what this does). Streams run HTTP/2 over a pipe, and so do unary calls
// that use call options which only it understands, and calls made before the server is served or while it says that it is
// not serving, which then wait as they would on a network.
type Memory struct {
	pipe   *bufconn.Listener
	server atomic.Pointer[Server]
}

// memoryBuffer is the size of each direction's buffer: one HTTP/2 flow-control window.
const memoryBuffer = 64 << 10

// NewMemory returns a pair whose server is not yet served; clients may call already, and wait.
func NewMemory() *Memory { return &Memory{pipe: bufconn.Listen(memoryBuffer)} }

// Listener is what the server serves, once. Closing it ends the pair for good.
func (m *Memory) Listener() net.Listener { return &memoryListener{m.pipe, m} }

func (m *Memory) dial(ctx context.Context, _ string) (net.Conn, error) {
	return m.pipe.DialContext(ctx)
}

// memoryListener tells Serve which Memory it serves.
type memoryListener struct {
	*bufconn.Listener
	memory *Memory
}

type memoryAddr struct{}

func (memoryAddr) Network() string { return "memory" }
func (memoryAddr) String() string  { return "memory" }
