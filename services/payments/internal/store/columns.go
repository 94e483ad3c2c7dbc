package store

import (
	"fmt"
	"reflect"
	"time"

	"github.com/google/uuid"

	"github.com/baixapay/baixa/services/payments/internal/payment"
)

// columns turns rows into one array argument a column, for unnest. As many rows are to be added as it was made for.
type columns struct {
	args       []any // slices of their columns' types; nil while a column has nothing but untyped nil
	rows, have int
}

func newColumns(rows, width int) *columns { return &columns{args: make([]any, width), rows: rows} }

// nullable is a value of a column that may hold NULL. An interface keeps a bare pointer, and a struct of one, and with it all that add is
// given; of something larger it holds a copy.
type nullable[T any] struct {
	p *T
	_ bool
}

// null is what p points to, or NULL.
func null[T any](p *T) nullable[T] { return nullable[T]{p: p} }

// add takes a row over. A column's values are all of one type. It keeps none of the interfaces, so that a row costs no allocation.
func (c *columns) add(values ...any) {
	for i, v := range values {
		switch v := v.(type) {
		case nil:
		case string:
			put(c, i, v)
		case nullable[string]:
			put(c, i, v.p)
		case payment.MerchantID:
			put(c, i, [16]byte(v))
		case nullable[payment.MerchantID]:
			put(c, i, (*[16]byte)(v.p))
		case payment.ID:
			put(c, i, [16]byte(v))
		case nullable[payment.ID]:
			put(c, i, (*[16]byte)(v.p))
		case payment.AccountID:
			put(c, i, [16]byte(v))
		case nullable[payment.AccountID]:
			put(c, i, (*[16]byte)(v.p))
		case payment.BotID:
			put(c, i, [16]byte(v))
		case uuid.UUID:
			put(c, i, [16]byte(v))
		case [16]byte:
			put(c, i, v)
		case time.Time:
			put(c, i, v)
		case nullable[time.Time]:
			put(c, i, v.p)
		case int:
			put(c, i, v)
		case int16:
			put(c, i, v)
		case int64:
			put(c, i, v)
		case nullable[int64]:
			put(c, i, v.p)
		case bool:
			put(c, i, v)
		case []byte:
			put(c, i, v)
		default:
			panic(fmt.Sprintf("a column of %s: its type is not known here", reflect.TypeOf(v)))
		}
	}
	c.have++
}

func put[T any](c *columns, column int, v T) {
	list, ok := c.args[column].([]T)
	if !ok {
		list = make([]T, c.rows)
		c.args[column] = list
	}
	list[c.have] = v
}
