package pg

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgtype"
)

// What goes the shorter way is the same bytes that pgx writes.
func TestArrays_asPgxWritesThem(t *testing.T) {
	id, text, at, n, small := [16]byte{1, 2, 15: 255}, "João\x01", time.Date(1969, 12, 31, 23, 59, 59, 987_654_321, time.UTC), int64(math.MinInt64), int32(-7)
	ours, theirs := pgtype.NewMap(), pgtype.NewMap()
	if err := registerArrays(ours, &kept{}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		oid   uint32
		value any
	}{
		{pgtype.UUIDArrayOID, [][16]byte{{}, id}},
		{pgtype.UUIDArrayOID, []*[16]byte{&id, nil}},
		{pgtype.TextArrayOID, []string{"", text, "x"}},
		{pgtype.TextArrayOID, []string{}},
		{pgtype.TextArrayOID, []*string{nil, &text}},
		{pgtype.TextArrayOID, [][]byte{nil, {}, []byte(text)}},
		{pgtype.ByteaArrayOID, [][]byte{{}, nil, {0, 255}}},
		{pgtype.BoolArrayOID, []bool{true, false}},
		{pgtype.Int2ArrayOID, []int16{-1, math.MaxInt16}},
		{pgtype.Int4ArrayOID, []int32{-1, math.MaxInt32}},
		{pgtype.Int4ArrayOID, []*int32{nil, &small}},
		{pgtype.Int4ArrayOID, []int{-1, math.MinInt32}},
		{pgtype.Int8ArrayOID, []int64{n, math.MaxInt64}},
		{pgtype.Int8ArrayOID, []*int64{&n, nil}},
		{pgtype.Int8ArrayOID, []int{math.MinInt, 7}},
		{pgtype.Float8ArrayOID, []float64{-0.5, math.Inf(1)}},
		{pgtype.TimestamptzArrayOID, []time.Time{at, {}, time.Date(2026, 1, 2, 3, 4, 5, 6000, time.FixedZone("", 3600))}},
		{pgtype.TimestamptzArrayOID, []*time.Time{nil, &at}},
	} {
		before := []byte("before")
		got, err := ours.Encode(c.oid, pgtype.BinaryFormatCode, c.value, before)
		if err != nil {
			t.Errorf("%T: %v", c.value, err)
			continue
		}
		want, err := theirs.Encode(c.oid, pgtype.BinaryFormatCode, c.value, before)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%T as array type %d (-pgx +ours):\n%s", c.value, c.oid, d)
		}
		if plan := fmt.Sprintf("%T", ours.PlanEncode(c.oid, pgtype.BinaryFormatCode, c.value)); plan[:12] != "pg.arrayPlan" {
			t.Errorf("%T as array type %d is encoded by %s", c.value, c.oid, plan)
		}
	}
	for _, beyond := range []int{math.MaxInt32 + 1, math.MinInt32 - 1} {
		if _, err := ours.Encode(pgtype.Int4ArrayOID, pgtype.BinaryFormatCode, []int{beyond}, nil); err == nil {
			t.Errorf("%d was written as an integer", beyond)
		}
	}
}

// What has no shorter way goes pgx's.
func TestArrays_othersAsBefore(t *testing.T) {
	ours, theirs := pgtype.NewMap(), pgtype.NewMap()
	if err := registerArrays(ours, &kept{}); err != nil {
		t.Fatal(err)
	}
	for oid, value := range map[uint32]any{
		pgtype.TextArrayOID: []any{"a", nil}, pgtype.Int4ArrayOID: []int64{1, 2},
	} {
		got, err := ours.Encode(oid, pgtype.BinaryFormatCode, value, nil)
		if err != nil {
			t.Errorf("%T: %v", value, err)
		}
		if want, _ := theirs.Encode(oid, pgtype.BinaryFormatCode, value, nil); !cmp.Equal(want, got) {
			t.Errorf("%T as array type %d: %x, pgx writes %x", value, oid, got, want)
		}
	}
	var back []string
	if err := ours.Scan(pgtype.TextArrayOID, pgtype.TextFormatCode, []byte(`{a,"b c"}`), &back); err != nil || !cmp.Equal(back, []string{"a", "b c"}) {
		t.Errorf("read %q, %v", back, err)
	}
}
