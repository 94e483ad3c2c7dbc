package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/baixapay/baixa/e2e/browser"
	"github.com/baixapay/baixa/e2e/deployment"
	"github.com/baixapay/baixa/sim"
)

const settleLimit = 10 * time.Minute // of the demonstration, whose providers are asked at their real pace

// TestDemo_everyPageInABrowser leaves the demonstration up, as `make demo` does, and opens every page that it sent to a buyer in a
// real browser: the page gives access and reports the Purchase under the id that the server used, once a sale.
func TestDemo_everyPageInABrowser(t *testing.T) {
	t.Parallel()
	free, data := deployment.Addresses(t, 2), t.TempDir()
	demo := deployment.Background(t, "demo", "--data", data, "--http", free[0], "--grpc", free[1])
	deployment.Eventually(t, settleLimit, "the demonstration has settled", func() bool { return strings.Contains(demo.Output(), "Ctrl-C") }, demo.Output)
	world := regexp.MustCompile(`(http://\S+)/control/counters`).FindStringSubmatch(demo.Output())
	if world == nil {
		t.Fatalf("the demonstration does not say where its simulators are:\n%s", demo.Output())
	}
	var visits []sim.Visit
	control(t, world[1]+"/control/visits", &visits)
	links := map[string]bool{}
	for _, v := range visits {
		links[v.URL] = true
	}
	if len(links) != 89 {
		t.Fatalf("%d links were opened by buyers, want the 89 that are owed", len(links))
	}
	for link := range links {
		p := phonePage(t, browser.Options{})
		if status := p.Open(link); status != http.StatusOK {
			t.Errorf("a page answers %d", status)
		}
		shows(t, p, "Pagamento confirmado", "Acessar agora")
	}
	server, inBrowser := map[string]int{}, map[string]bool{}
	deployment.Eventually(t, deployment.Within, "every page has reported its Purchase", func() bool {
		var events []sim.Event
		control(t, world[1]+"/control/meta/events", &events)
		clear(server)
		clear(inBrowser)
		for _, e := range events {
			switch key := e.Pixel + " " + e.ID; {
			case e.Name != "Purchase":
			case e.Source == "server":
				server[key]++
			default:
				inBrowser[key] = true
			}
		}
		return len(inBrowser) == len(links)
	}, func() string {
		return fmt.Sprintf("%d ids from browsers, %d from the server", len(inBrowser), len(server))
	})
	for key := range inBrowser {
		if server[key] != 1 {
			t.Errorf("Purchase %s came %d times from the server", key, server[key])
		}
	}
	payOffer(t, demo.Output())
	told := 0
	for link := range links {
		if told++; told > 10 { // each is a process of its own
			break
		}
		c := deployment.Run(t, nil, "explain", "--address", free[1], "--data", data, "--lang", "en", link)
		for _, part := range []string{"paid", "link", "Telegram", "Purchase"} {
			if c.Code != 0 || !strings.Contains(c.Stdout, part) {
				t.Fatalf("explain ends with %d and does not tell of %q:\n%s%s", c.Code, part, c.Stdout, c.Stderr)
			}
		}
	}
}

func control(t *testing.T, url string, out any) {
	t.Helper()
	resp, err := http.Get(url)
	must(t, err)
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", url, resp.Status, err)
	}
}

// payOffer opens the payment page that the demonstration offers and pays as it says: the page turns into the way to the access.
func payOffer(t *testing.T, said string) {
	t.Helper()
	page := regexp.MustCompile(`http://\S+/pay/\S+`).FindString(said)
	pay := regexp.MustCompile(`curl -d '(\{.*\})' (http://\S+)`).FindStringSubmatch(said)
	if page == "" || pay == nil {
		t.Fatalf("the demonstration offers no payment page:\n%s", said)
	}
	p := phonePage(t, browser.Options{})
	if status := p.Open(page); status != http.StatusOK {
		t.Fatalf("the payment page answers %d", status)
	}
	awaitText(t, p, "Aguardando o pagamento")
	resp, err := http.Post(pay[2], "application/x-www-form-urlencoded", strings.NewReader(pay[1])) // as curl does
	must(t, err)
	must(t, resp.Body.Close())
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("paying answers %s", resp.Status)
	}
	awaitText(t, p, "Pagamento confirmado")
}
