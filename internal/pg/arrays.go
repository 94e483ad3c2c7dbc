package pg

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
)

// arrays is pgx's codec of an array type, with a shorter way for the slices that statements over many rows are given: straight into the
// statement's bytes, where pgx boxes each element and looks its type up. Other slices, and whatever is read, go pgx's way.
type arrays struct {
	*pgtype.ArrayCodec
	kept *kept
}

// registerArrays gives a connection's types the shorter way.
func registerArrays(types *pgtype.Map, k *kept) error {
	for _, oid := range []uint32{pgtype.UUIDArrayOID, pgtype.TextArrayOID, pgtype.ByteaArrayOID, pgtype.BoolArrayOID, pgtype.Int2ArrayOID,
		pgtype.Int4ArrayOID, pgtype.Int8ArrayOID, pgtype.Float8ArrayOID, pgtype.TimestamptzArrayOID} {
		t, known := types.TypeForOID(oid)
		if !known {
			return fmt.Errorf("array type %d is not known to pgx", oid)
		}
		codec, ok := t.Codec.(*pgtype.ArrayCodec)
		if !ok {
			return fmt.Errorf("array type %s has a codec of its own: %T", t.Name, t.Codec)
		}
		types.RegisterType(&pgtype.Type{Name: t.Name, OID: oid, Codec: arrays{codec, k}})
	}
	return nil
}

// PlanEncode implements pgtype.Codec.
func (a arrays) PlanEncode(types *pgtype.Map, oid uint32, format int16, value any) pgtype.EncodePlan {
	if format == pgtype.BinaryFormatCode {
		if p := a.direct(value); p != nil {
			return p
		}
	}
	return a.ArrayCodec.PlanEncode(types, oid, format, value)
}

func (a arrays) direct(value any) pgtype.EncodePlan {
	switch a.ElementType.OID {
	case pgtype.UUIDOID:
		return direct(a, value, appendID)
	case pgtype.TextOID:
		if p := direct(a, value, appendText); p != nil {
			return p
		}
		return direct(a, value, appendBytes)
	case pgtype.ByteaOID:
		return direct(a, value, appendBytes)
	case pgtype.BoolOID:
		return direct(a, value, appendBool)
	case pgtype.Int2OID:
		return direct(a, value, appendInt2)
	case pgtype.Int4OID:
		if p := direct(a, value, appendInt4); p != nil {
			return p
		}
		return direct(a, value, appendIntAsInt4)
	case pgtype.Int8OID:
		if p := direct(a, value, appendInt8); p != nil {
			return p
		}
		return direct(a, value, appendIntAsInt8)
	case pgtype.Float8OID:
		return direct(a, value, appendFloat8)
	case pgtype.TimestamptzOID:
		return direct(a, value, appendTime)
	}
	return nil
}

// element appends one element's bytes; nil instead of the buffer is NULL.
type element[T any] func(buf []byte, v T) ([]byte, error)

// direct is the plan for values of []T or []*T, nil for others.
func direct[T any](a arrays, value any, one element[T]) pgtype.EncodePlan {
	switch value.(type) {
	case []T:
		return arrayPlan[T]{a.ElementType.OID, one, a.kept}
	case []*T:
		return arrayPlan[*T]{a.ElementType.OID, func(buf []byte, v *T) ([]byte, error) {
			if v == nil {
				return nil, nil
			}
			return one(buf, *v)
		}, a.kept}
	}
	return nil
}

type arrayPlan[T any] struct {
	elements uint32 // the OID of their type
	one      element[T]
	kept     *kept
}

// Encode implements pgtype.EncodePlan. An array's binary form is its number of dimensions, whether it holds NULL, its elements' type, each
// dimension's length and first index, and each element behind its length, which is -1 for NULL.
func (p arrayPlan[T]) Encode(value any, buf []byte) ([]byte, error) {
	list := value.([]T)
	buf = p.kept.room(buf)
	start := len(buf)
	buf = binary.BigEndian.AppendUint32(buf, 1)
	nulls := len(buf)
	buf = binary.BigEndian.AppendUint32(buf, 0)
	buf = binary.BigEndian.AppendUint32(buf, p.elements)
	buf = binary.BigEndian.AppendUint32(buf, uint32(len(list)))
	buf = binary.BigEndian.AppendUint32(buf, 1)
	for _, v := range list {
		at := len(buf)
		buf = binary.BigEndian.AppendUint32(buf, math.MaxUint32)
		with, err := p.one(buf, v)
		if err != nil {
			return nil, err
		}
		if with == nil {
			binary.BigEndian.PutUint32(buf[nulls:], 1)
			continue
		}
		buf = with
		binary.BigEndian.PutUint32(buf[at:], uint32(len(buf)-at-4))
	}
	p.kept.keep(buf, len(buf)-start)
	return buf, nil
}

func appendID(buf []byte, v [16]byte) ([]byte, error) { return append(buf, v[:]...), nil }

func appendText(buf []byte, v string) ([]byte, error) { return append(buf, v...), nil }

func appendBytes(buf []byte, v []byte) ([]byte, error) {
	if v == nil {
		return nil, nil
	}
	return append(buf, v...), nil
}

func appendBool(buf []byte, v bool) ([]byte, error) {
	if v {
		return append(buf, 1), nil
	}
	return append(buf, 0), nil
}

func appendInt2(buf []byte, v int16) ([]byte, error) {
	return binary.BigEndian.AppendUint16(buf, uint16(v)), nil
}

func appendInt4(buf []byte, v int32) ([]byte, error) {
	return binary.BigEndian.AppendUint32(buf, uint32(v)), nil
}

func appendIntAsInt4(buf []byte, v int) ([]byte, error) {
	if v < math.MinInt32 || v > math.MaxInt32 {
		return nil, fmt.Errorf("%d is out of the range of integer", v)
	}
	return appendInt4(buf, int32(v))
}

func appendInt8(buf []byte, v int64) ([]byte, error) {
	return binary.BigEndian.AppendUint64(buf, uint64(v)), nil
}

func appendIntAsInt8(buf []byte, v int) ([]byte, error) { return appendInt8(buf, int64(v)) }

func appendFloat8(buf []byte, v float64) ([]byte, error) {
	return binary.BigEndian.AppendUint64(buf, math.Float64bits(v)), nil
}

// epoch is where PostgreSQL's microseconds begin: 2000-01-01, in seconds of Unix time.
const epoch = 946_684_800

func appendTime(buf []byte, v time.Time) ([]byte, error) {
	return appendInt8(buf, (v.Unix()-epoch)*1e6+int64(v.Nanosecond())/1000)
}
