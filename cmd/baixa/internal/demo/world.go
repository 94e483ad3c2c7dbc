package demo

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/baixapay/baixa"
	"github.com/baixapay/baixa/cmd/baixa/internal/grimbots"
	"github.com/baixapay/baixa/sim"
)

// accounts are the demonstration's credentials at the simulators, all invented.
var accounts = map[string]map[string]string{
	"atomopay":  {"api_token": "exemplo-de-token-da-atomopay-0001"},
	"paradise":  {"api_key": "sk_exemplo_da_paradise_0001"},
	"pushinpay": {"token": "1|exemplo-de-token-da-pushinpay-0001"},
}

// secret is the one credential that a simulator checks.
func secret(provider string) string {
	for _, value := range accounts[provider] {
		return value
	}
	return ""
}

func simulated(provider string) (sim.Provider, error) {
	for _, p := range sim.Providers() {
		if string(p) == provider {
			return p, nil
		}
	}
	return "", fmt.Errorf("there is no simulator of %s", provider)
}

// lateCharge is one that ends first and is paid afterwards.
type lateCharge struct {
	charge     sim.Charge
	externalID string
	paid       bool
}

// startSims starts the simulators with all that the providers know, before anybody asks them. A folder that is kept keeps their
// address, so that a system that was killed finds them again.
func (d *Demo) startSims() (err error) {
	var problems []grimbots.Problem
	if d.rows, problems, err = grimbots.ReadPayments(bytes.NewReader(baixa.GrimbotsPayments)); err == nil && problems == nil {
		d.bots, problems, err = grimbots.ReadBots(bytes.NewReader(baixa.GrimbotsBots))
	}
	if err != nil || problems != nil {
		return errors.Join(err, fmt.Errorf("the demonstration's files: %v", problems))
	}
	if err := os.MkdirAll(string(d.o.Data), 0o700); err != nil {
		return err
	}
	if d.shift, err = d.keptShift(); err != nil {
		return err
	}
	if err := d.fill(); err != nil {
		return err
	}
	kept := filepath.Join(string(d.o.Data), "demo.sims")
	address, err := os.ReadFile(kept)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if d.sims, err = d.world.Start(string(address)); err != nil {
		return err
	}
	return os.WriteFile(kept, []byte(strings.TrimPrefix(d.sims.URL, "http://")), 0o600)
}

// keptShift moves the file's times so that the newest sale was made two minutes ago, as if it had just been exported: a sale's age
// decides when it is looked at. A folder that is kept keeps the move, so that the same sales are imported again.
func (d *Demo) keptShift() (time.Duration, error) {
	kept := filepath.Join(string(d.o.Data), "demo.shift")
	if raw, err := os.ReadFile(kept); err == nil {
		return time.ParseDuration(string(raw))
	}
	newest := d.rows[0].Request.GetCreatedAt().AsTime()
	for _, r := range d.rows {
		if at := r.Request.GetCreatedAt().AsTime(); at.After(newest) {
			newest = at
		}
	}
	shift := time.Since(newest).Truncate(time.Second) - 2*time.Minute
	return shift, os.WriteFile(kept, []byte(shift.String()), 0o600)
}

// fill tells the simulators what the providers know: the charges, and who may ask.
func (d *Demo) fill() error {
	for provider := range accounts {
		p, err := simulated(provider)
		if err != nil {
			return err
		}
		if err := d.world.AddAccount(sim.Account{Provider: p, Name: "demo", Key: secret(provider)}); err != nil {
			return err
		}
	}
	for _, b := range d.bots {
		if err := d.world.AddBot(sim.Bot{Token: b.Token}); err != nil {
			return err
		}
		if err := d.world.AddPixel(sim.Pixel{ID: b.PixelID, Token: b.PixelToken}); err != nil {
			return err
		}
	}
	created := map[string]time.Time{}
	for _, r := range d.rows {
		created[r.Request.GetExternalId()] = r.Request.GetCreatedAt().AsTime().Add(d.shift)
		if err := d.world.AddChat(sim.Chat{ID: r.Request.GetBuyer().GetTelegramId()}); err != nil {
			return err
		}
	}
	lines, err := csv.NewReader(bytes.NewReader(baixa.ProviderTruth)).ReadAll()
	if err != nil {
		return fmt.Errorf("testdata/provider-truth.csv: %w", err)
	}
	for _, l := range lines[1:] {
		if err := d.charge(l, created[l[3]]); err != nil {
			return fmt.Errorf("testdata/provider-truth.csv: %w", err)
		}
	}
	return d.world.SetBuyers(sim.Buyers{Open: true, Delay: 200 * time.Millisecond, Spread: 2 * time.Second})
}

// charge adds one line: gateway_type, id, hash, reference, amount_centavos, status, then.
func (d *Demo) charge(l []string, created time.Time) error {
	p, err := simulated(strings.Replace(l[0], "pushynpay", "pushinpay", 1))
	if err != nil {
		return err
	}
	amount, err := strconv.ParseInt(l[4], 10, 64)
	if err != nil {
		return err
	}
	c := sim.Charge{Provider: p, Account: "demo", ID: l[1], Hash: l[2], Reference: l[3], AmountCentavos: amount, Status: sim.Status(l[5]),
		CreatedAt: created, Webhooks: &sim.Webhooks{Mode: sim.WebhookNever}}
	if p == sim.Pushinpay {
		c.ID = strings.ToLower(c.ID) // its API speaks lower case, its webhooks upper case: the origin system kept the latter
	}
	if c.Status == sim.Paid || c.Status == sim.Refunded {
		c.PaidAt = created.Add(90 * time.Second)
	}
	if l[6] != "" {
		d.late = append(d.late, lateCharge{charge: c, externalID: l[3]})
		return nil
	}
	_, err = d.world.AddCharge(c)
	return err
}

// addLate adds the charges that are paid after their end: those tell, at the accounts' own URLs.
func (d *Demo) addLate(accountKeys map[string]string) error {
	for _, l := range d.late {
		c := l.charge
		c.Webhooks = &sim.Webhooks{Mode: sim.WebhookPrompt}
		c.WebhookURL = d.URL + "/webhook/payment/" + string(c.Provider) + "/" + accountKeys[string(c.Provider)]
		if _, err := d.world.AddCharge(c); err != nil {
			return err
		}
	}
	return nil
}
