package main

import (
	"context"
	"fmt"
	"os"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/baixapay/baixa/cmd/baixa/internal/client"
	"github.com/baixapay/baixa/cmd/baixa/internal/story"
	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
)

type explainCmd struct {
	client.Flags
	Lang string `env:"BAIXA_LANG" default:"pt-BR" enum:"pt-BR,en" help:"pt-BR or en."`
	JSON bool   `help:"Print the answer as JSON."`
	Sale string `arg:"" help:"Any id: ours, yours, the provider's hash, id or reference, the payment link, a delivery token or link, a Telegram id."`
}

// Run tells the story.
func (c explainCmd) Run(ctx context.Context) error {
	cl, err := c.Open()
	if err != nil {
		return err
	}
	defer cl.Close()
	resp, err := cl.Payments.ExplainPayment(ctx, &paymentsv1.ExplainPaymentRequest{Query: c.Sale, Lang: c.Lang})
	if err != nil {
		return client.Explain(err, c.Address)
	}
	if c.JSON {
		return printJSON(resp)
	}
	return story.Write(os.Stdout, resp, c.Lang, terminal(os.Stdout))
}

func printJSON(m proto.Message) error {
	raw, err := protojson.MarshalOptions{UseProtoNames: true, Multiline: true}.Marshal(m)
	if err != nil {
		return err
	}
	_, err = fmt.Println(string(raw))
	return err
}

func terminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("NO_COLOR") == ""
}
