package pg

import (
	"context"

	"github.com/exaring/otelpgx"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"
)

// keptMost is the largest buffer that a connection keeps.
const keptMost = 64 << 10

// kept are the buffers of one connection, in which statements of many rows are written again and again: pgx begins each anew with a small one,
// lets it grow and drops it. Only who holds the connection uses them.
type kept struct {
	values  []byte // arguments, before they become part of a message
	message []byte // what is sent at once
	sent    int    // bytes of arrays since the last message was begun
}

// room returns buf with what it holds, in the kept buffer where that is the larger one. pgx has copied the arguments of a statement into its
// message before it writes those of the next.
func (k *kept) room(buf []byte) []byte {
	if cap(buf) >= cap(k.values) {
		return buf
	}
	return append(k.values[:0], buf...)
}

// keep takes note of n more bytes and of the buffer that they have made grow.
func (k *kept) keep(buf []byte, n int) {
	k.sent += n
	if cap(buf) <= keptMost {
		k.values = buf[:0]
	}
}

// keptOf is a connection's; nil for one that Open did not make.
func keptOf(conn *pgx.Conn) *kept {
	k, _ := conn.PgConn().CustomData()[keptKey].(*kept)
	return k
}

const keptKey = "baixa.kept"

// message is what a connection is given before each statement or batch: it adds no bytes to what is sent, and has it written in the kept buffer.
type message struct{ *kept }

var _ pgproto3.FrontendMessage = message{}

func (message) Frontend() {}

func (message) Decode([]byte) error { return nil } // nobody receives it

func (m message) Encode(dst []byte) ([]byte, error) {
	want := min(m.sent+m.sent/4, keptMost) // as the last one
	if m.sent = 0; want > cap(m.message) {
		m.message = make([]byte, 0, want)
	}
	if cap(dst) >= cap(m.message) {
		return dst, nil
	}
	return append(m.message[:0], dst...), nil
}

// tracer is otelpgx's, which is told of each statement and batch before it is written.
type tracer struct{ *otelpgx.Tracer }

func (t tracer) TraceQueryStart(ctx context.Context, conn *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	begin(conn)
	return t.Tracer.TraceQueryStart(ctx, conn, data)
}

func (t tracer) TraceBatchStart(ctx context.Context, conn *pgx.Conn, data pgx.TraceBatchStartData) context.Context {
	begin(conn)
	return t.Tracer.TraceBatchStart(ctx, conn, data)
}

// begin leaves a connection that broke alone: pgx is closing it, in a goroutine of its own.
func begin(conn *pgx.Conn) {
	if k := keptOf(conn); k != nil && !conn.IsClosed() {
		conn.PgConn().Frontend().Send(message{k})
	}
}
