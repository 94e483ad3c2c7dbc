package rpcerr

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestFields_nameEveryField(t *testing.T) {
	var f Fields
	f.Require(true, "fine", "nothing")
	if f.Err() != nil {
		t.Fatal("no violation must be no error")
	}
	f.Require(false, "amount.centavos", "more than zero")
	f.Require(false, "bot_id", "the bot that sells")
	st := status.Convert(f.Err())
	if st.Code() != codes.InvalidArgument || st.Message() != "amount.centavos: more than zero; bot_id: the bot that sells" {
		t.Fatalf("got %v %q", st.Code(), st.Message())
	}
	bad, ok := st.Details()[0].(*errdetails.BadRequest)
	if !ok || len(bad.FieldViolations) != 2 || bad.FieldViolations[1].Field != "bot_id" {
		t.Fatalf("details: %v", st.Details())
	}
}

func TestFinal_keepsCodesAndHidesTheRest(t *testing.T) {
	down := errors.New("dial tcp 10.0.0.1:5432: refused password=hunter2")
	for _, c := range []struct {
		in   error
		want codes.Code
	}{
		{nil, codes.OK},
		{fmt.Errorf("lock payment: %w", NotFound("payment")), codes.NotFound},
		{fmt.Errorf("x: %w", context.Canceled), codes.Canceled},
		{context.DeadlineExceeded, codes.DeadlineExceeded},
		{down, codes.Unavailable},
		{errors.New("pq: secret detail"), codes.Internal},
	} {
		got := Final(c.in, func(err error) bool { return errors.Is(err, down) })
		if status.Code(got) != c.want {
			t.Errorf("%v: got %v, want %v", c.in, got, c.want)
		}
		if text := fmt.Sprint(got); c.want == codes.Internal && text != "rpc error: code = Internal desc = internal error; the log has it under this trace" {
			t.Errorf("an unknown error left as %q", text)
		}
	}
}
