package demo

import (
	"context"
	"crypto/rand"
	"fmt"

	"github.com/baixapay/baixa/cmd/baixa/internal/client"
	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	typev1 "github.com/baixapay/baixa/gen/baixa/type/v1"
	"github.com/baixapay/baixa/sim"
)

// offerAt is where the sale is made that waits for whoever looks at the demonstration, visitor the chat of who buys it.
const (
	offerAt = sim.Paradise
	visitor = 700_000_777
)

// offer is a sale that waits on its payment page.
type offer struct {
	page   string // its address
	charge string // its id at the provider
}

// Offer makes a sale that nobody pays, for the person who looks. Each call makes one.
func (d *Demo) Offer(ctx context.Context) (offer, error) {
	if err := d.world.AddChat(sim.Chat{ID: visitor}); err != nil {
		return offer{}, err
	}
	made, err := d.client.Payments.CreatePayment(ctx, &paymentsv1.CreatePaymentRequest{MerchantId: d.merchant, IdempotencyKey: rand.Text(),
		BotId: d.bots[0].ID, AccountId: d.accounts[string(offerAt)], Amount: &typev1.Money{Centavos: 1990},
		Buyer:   &paymentsv1.Buyer{TelegramId: visitor, Name: "Visita Exemplo", Email: "visita@exemplo.invalid", Phone: "11900000000", Document: "12345678909"},
		Product: &paymentsv1.Product{Name: "Acesso de demonstração", AccessUrl: d.URL + "/docs"}})
	if err != nil {
		return offer{}, fmt.Errorf("make a sale to look at: %w", client.Explain(err, d.GRPC))
	}
	return offer{made.GetPayment().GetPayUrl(), made.GetPayment().GetCharge().GetId()}, nil
}
