package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/baixapay/baixa/cmd/baixa/internal/client"
	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
)

type notifyCmd struct {
	Test notifyTestCmd `cmd:"" help:"Send a test message to a merchant's owner and say whether Telegram took it."`
}

type notifyTestCmd struct {
	client.Flags
	Merchant string        `placeholder:"ID" help:"The merchant. A merchant's own key need not say it."`
	Wait     time.Duration `default:"20s" help:"How long to wait for Telegram's answer."`
}

// Run sends one message and waits for what became of it.
func (c notifyTestCmd) Run(ctx context.Context) error {
	cl, err := c.Open()
	if err != nil {
		return err
	}
	defer cl.Close()
	settings := func() (*paymentsv1.AlertSettings, error) {
		r, err := cl.Alerts.GetAlertSettings(ctx, &paymentsv1.GetAlertSettingsRequest{MerchantId: c.Merchant})
		return r.GetSettings(), client.Explain(err, c.Address)
	}
	before, err := settings()
	if err != nil {
		return err
	}
	sent, err := cl.Alerts.SendTestAlert(ctx, &paymentsv1.SendTestAlertRequest{MerchantId: c.Merchant})
	if err != nil {
		return client.Explain(err, c.Address)
	}
	fmt.Println("test message", sent.GetNotificationId(), "to chat", before.GetChatId())
	for end := time.Now().Add(c.Wait); time.Now().Before(end); {
		now, err := settings()
		switch {
		case err != nil:
			return err
		case now.GetLastSentAt().AsTime().After(before.GetLastSentAt().AsTime()):
			fmt.Println("Telegram took it")
			return nil
		case now.GetLastFailure() != "" && now.GetLastFailure() != before.GetLastFailure():
			return fmt.Errorf("it does not arrive: %s", now.GetLastFailure())
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
	if before.GetLastFailure() != "" {
		return fmt.Errorf("it does not arrive: %s", before.GetLastFailure())
	}
	return errors.New("no answer yet; see last_sent_at and last_failure of GET /v1/alerts/settings")
}
