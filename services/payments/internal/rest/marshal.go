package rest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/baixapay/baixa/internal/rpcerr"
)

// body is a request's body in memory, and what was found wrong with it: the generated code keeps only an error's text.
type body struct {
	*bytes.Reader
	raw    []byte
	faults rpcerr.Fields
}

func newBody(raw []byte) *body { return &body{Reader: bytes.NewReader(raw), raw: raw} }

// Close does nothing.
func (*body) Close() error { return nil }

// marshaler writes every scalar, list and map of an answer, also when it is zero, under the names of the contract; a message
// that is not set is absent. It reads strictly: unknown fields, wrong types and anything after the object are refused by name.
type marshaler struct{ *runtime.JSONPb }

func newMarshaler() marshaler {
	return marshaler{&runtime.JSONPb{MarshalOptions: protojson.MarshalOptions{UseProtoNames: true, EmitDefaultValues: true}}}
}

// ContentType is JSON's.
func (marshaler) ContentType(any) string { return "application/json; charset=utf-8" }

// NewDecoder reads a request's body, which is a *body.
func (m marshaler) NewDecoder(r io.Reader) runtime.Decoder {
	return runtime.DecoderFunc(func(v any) error {
		b, ok := r.(*body)
		msg, isMessage := v.(proto.Message)
		if !ok || !isMessage {
			return m.JSONPb.NewDecoder(r).Decode(v)
		}
		if len(bytes.TrimSpace(b.raw)) == 0 {
			return io.EOF // an empty message, which the service refuses by field
		}
		if err := protojson.Unmarshal(b.raw, msg); err != nil {
			b.faults = rpcerr.Fields{explain(b.raw, err, msg.ProtoReflect().Descriptor())}
			return errors.New("the body is not the request's JSON")
		}
		return nil
	})
}

// position is where protojson's errors say that they are; their other words may change and may quote a secret.
var position = regexp.MustCompile(`\(line (\d+):(\d+)\)`)

// explain names the field that protojson could not read, and what was expected of it.
func explain(raw []byte, err error, in descriptor) rpcerr.Field {
	if !json.Valid(raw) || !utf8.Valid(raw) {
		return rpcerr.Field{Path: "body", Expected: "well-formed JSON in UTF-8" + where(raw)}
	}
	at := position.FindStringSubmatch(err.Error())
	if at == nil {
		return rpcerr.Field{Path: "body", Expected: "a JSON object as /openapi.json describes it"}
	}
	line, _ := strconv.Atoi(at[1])
	column, _ := strconv.Atoi(at[2])
	path, isName := locate(raw, offsetOf(raw, line, column))
	if len(path) == 0 {
		return rpcerr.Field{Path: "body", Expected: "one JSON object"}
	}
	f, parent := resolve(in, path)
	out := rpcerr.Field{Path: path.String()}
	switch {
	case f == nil:
		out.Path, out.Expected = cmp.Or(printable(out.Path), "body"), "no such field"+listFields(parent)
	case isName && strings.Contains(err.Error(), "oneof"):
		out.Expected = "only one of " + oneofNames(f)
	case isName:
		out.Expected = "given once"
	default:
		out.Expected = expected(f, path[len(path)-1].index >= 0)
	}
	return out
}

// where is the place at which JSON stops being well-formed.
func where(raw []byte) string {
	if !utf8.Valid(raw) {
		return ""
	}
	var syntax *json.SyntaxError
	if err := json.Unmarshal(raw, new(any)); errors.As(err, &syntax) {
		before := raw[:max(0, min(int(syntax.Offset)-1, len(raw)))]
		return fmt.Sprintf("; it stops being that at line %d, column %d", bytes.Count(before, []byte("\n"))+1,
			utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:])+1)
	}
	return ""
}

// offsetOf turns a line and a column, counted in characters from 1, into an index.
func offsetOf(raw []byte, line, column int) int {
	at := 0
	for ; line > 1; line-- {
		next := bytes.IndexByte(raw[at:], '\n')
		if next < 0 {
			return len(raw)
		}
		at += next + 1
	}
	for ; column > 1 && at < len(raw); column-- {
		_, n := utf8.DecodeRune(raw[at:])
		at += n
	}
	return at
}
