//go:build ignore

// Generate writes the demonstration's files: the origin system's payments table as somebody would export it, its bots, and what
// the providers know. Everything in them is invented. Run it in this folder: go run generate.go
package main

import (
	"encoding/csv"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"time"
)

// kind is a group of sales with one story.
type kind struct {
	n        int
	provider string
	status   string // in the origin system
	truth    string // at the provider; "" is unknown there; "a>b" is a now and b later
	paid     int    // centavos that were paid when they differ from the price
	token    bool   // the origin system had made a delivery token
}

var kinds = []kind{
	{43, "atomopay", "pending", "paid", 0, false}, // the 43: paid, no webhook ever
	{30, "atomopay", "pending", "pending", 0, false},
	{5, "atomopay", "pending", "failed", 0, false},
	{12, "atomopay", "paid", "paid", 0, true},
	{25, "paradise", "pending", "paid", 0, false},
	{20, "paradise", "pending", "pending", 0, false},
	{2, "paradise", "pending", "failed", 0, false},
	{10, "paradise", "paid", "paid", 0, true},
	{1, "paradise", "pending", "refunded", 0, false},
	{1, "paradise", "pending", "paid", 990, false}, // another amount than the price
	{1, "paradise", "pending", "expired>paid", 0, false},
	{1, "paradise", "pending", "", 0, false}, // the provider has never heard of it
	{20, "pushynpay", "pending", "paid", 0, false},
	{24, "pushynpay", "pending", "pending", 0, false},
	{5, "pushynpay", "pending", "expired", 0, false},
}

var (
	r        = rand.New(rand.NewPCG(2026, 43))
	first    = strings.Fields("Aurora Bento Celina Davi Elisa Fausto Graça Heitor Iara Jonas Lia Mauro Nina Otto Pilar Raul Sofia Tales Vera Yuri")
	last     = strings.Fields("Exemplo Fictício Inventado Modelo Amostra Ensaio Rascunho Hipotético")
	products = []struct {
		name  string
		price int
	}{{"Acesso VIP mensal", 1990}, {"Acesso VIP anual", 9790}, {"Pacote de aulas", 4700}, {"E-book de receitas", 999}, {"Mentoria em grupo", 29700}}
	campaigns = []string{"verao26", "remarketing", "lancamento", ""}
)

var columns = strings.Fields(`id bot_id payment_id gateway_type gateway_transaction_id gateway_transaction_hash amount customer_name customer_email
	customer_phone customer_user_id product_name product_description status is_downsell is_upsell is_remarketing pool_id delivery_token
	purchase_sent_from_delivery meta_purchase_sent meta_event_id utm_source utm_medium utm_campaign utm_content utm_term fbclid campaign_code
	tracking_token meta_pixel_id pageview_event_id fbp fbc created_at updated_at paid_at`)

func main() {
	payments, done := create("grimbots-payments.csv")
	defer done()
	truth, done := create("provider-truth.csv")
	defer done()
	write(payments, columns)
	write(truth, strings.Fields("gateway_type gateway_transaction_id gateway_transaction_hash reference amount_centavos status then"))
	newest := time.Date(2026, 11, 20, 18, 0, 0, 0, time.UTC) // naive, in the time of São Paulo, as the origin system writes it
	var rows []kind
	for _, k := range kinds {
		for range k.n {
			rows = append(rows, k)
		}
	}
	r.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	for i, k := range rows {
		at := newest.Add(-time.Duration(len(rows)-1-i) * 97 * time.Second)
		sale(payments, truth, i+1, k, at)
	}
}

func sale(payments, truth *csv.Writer, n int, k kind, at time.Time) {
	bot := []string{"35", "41", "58"}[r.IntN(3)]
	p := products[r.IntN(len(products))]
	name := first[r.IntN(len(first))] + " " + last[r.IntN(len(last))]
	reference := fmt.Sprintf("BOT%s_%d_%08x", bot, at.Unix()+3*3600, r.Uint32())
	id, hash := identifiers(k.provider)
	click := fmt.Sprintf("%032x", []byte(fmt.Sprintf("%016d", n)))
	fbclid := fmt.Sprintf("IwAR%s", random(24))
	clicked := at.Add(-4*time.Minute).Unix()*1000 + 3*3600*1000
	campaign := campaigns[r.IntN(len(campaigns))]
	row := map[string]string{"id": strconv.Itoa(5000 + n), "bot_id": bot, "payment_id": reference, "gateway_type": k.provider,
		"gateway_transaction_id": id, "gateway_transaction_hash": hash, "amount": reais(p.price), "customer_name": name,
		"customer_email": fmt.Sprintf("comprador%d@exemplo.invalid", n), "customer_phone": "", "customer_user_id": strconv.Itoa(700000000 + n),
		"product_name": p.name, "product_description": "", "status": k.status, "is_downsell": "f", "is_upsell": "f", "is_remarketing": "f",
		"pool_id": "7", "purchase_sent_from_delivery": bit(k.token), "meta_purchase_sent": bit(k.token), "created_at": at.Format("2006-01-02 15:04:05.000000"),
		"updated_at": at.Format("2006-01-02 15:04:05.000000"), "utm_source": "FB", "utm_medium": "cpc", "utm_campaign": campaign, "campaign_code": campaign}
	if campaign != "" {
		row["fbclid"], row["tracking_token"], row["pageview_event_id"] = fbclid, click, "pageview_"+click
		row["fbp"], row["fbc"] = fmt.Sprintf("fb.1.%d.%d", clicked, r.IntN(1<<30)), fmt.Sprintf("fb.1.%d.%s", clicked, fbclid)
	}
	if k.token {
		row["delivery_token"], row["paid_at"] = random(32), at.Add(3*time.Minute).Format("2006-01-02 15:04:05.000000")
	}
	line := make([]string, len(columns))
	for i, c := range columns {
		line[i] = row[c]
	}
	write(payments, line)
	if k.truth != "" {
		now, then, _ := strings.Cut(k.truth, ">")
		amount := p.price
		if k.paid != 0 {
			amount = k.paid
		}
		write(truth, []string{k.provider, id, hash, reference, strconv.Itoa(amount), now, then})
	}
}

// identifiers have the shape of each provider's.
func identifiers(provider string) (id, hash string) {
	switch provider {
	case "atomopay":
		return strconv.Itoa(60000000 + r.IntN(9999999)), random(12)
	case "paradise":
		return strconv.Itoa(3000000 + r.IntN(999999)), ""
	}
	return strings.ToUpper(fmt.Sprintf("%08x-%04x-4%03x-a%03x-%012x", r.Uint32(), r.IntN(1<<16), r.IntN(1<<12), r.IntN(1<<12), r.Int64N(1<<48))), ""
}

func random(n int) string {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789"
	b := make([]byte, n)
	for i := range b {
		b[i] = letters[r.IntN(len(letters))]
	}
	return string(b)
}

func reais(centavos int) string {
	return strings.TrimSuffix(fmt.Sprintf("%d.%02d", centavos/100, centavos%100), "0") // as a float column prints
}

func bit(b bool) string {
	if b {
		return "t"
	}
	return "f"
}

func create(name string) (*csv.Writer, func()) {
	f, err := os.Create(name)
	if err != nil {
		log.Fatal(err)
	}
	w := csv.NewWriter(f)
	return w, func() {
		w.Flush()
		if err := w.Error(); err != nil {
			log.Fatal(err)
		}
		if err := f.Close(); err != nil {
			log.Fatal(err)
		}
	}
}

func write(w *csv.Writer, line []string) {
	if err := w.Write(line); err != nil {
		log.Fatal(err)
	}
}
