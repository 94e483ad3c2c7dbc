package sim

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// BenchmarkStatus is one status call without the network: what the simulator
// takes of a shared machine beside net/http itself.
func BenchmarkStatus(b *testing.B) {
	w, err := New(Config{PollRules: map[Provider]PollRule{}})
	if err != nil {
		b.Fatal(err)
	}
	defer w.Close()
	c, err := w.AddCharge(Charge{Provider: Pushinpay, AmountCentavos: 1990})
	if err != nil {
		b.Fatal(err)
	}
	h := w.Handler()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		req := httptest.NewRequest("GET", Path(Pushinpay)+"/transactions/"+c.ID, nil)
		req.Header.Set("Authorization", "Bearer 1|x")
		for pb.Next() {
			rec := httptest.NewRecorder()
			if h.ServeHTTP(rec, req); rec.Code != http.StatusOK {
				b.Errorf("HTTP %d", rec.Code)
				return
			}
		}
	})
}

// BenchmarkSendMessage is one Telegram message without the network.
func BenchmarkSendMessage(b *testing.B) {
	w, err := New(Config{Keep: 1000})
	if err != nil {
		b.Fatal(err)
	}
	defer w.Close()
	h := w.Handler()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			req := httptest.NewRequest("GET", "/telegram/bot"+botToken+"/sendMessage?chat_id=5&parse_mode=HTML&text=%3Cb%3Eoi%3C/b%3E", nil)
			rec := httptest.NewRecorder()
			if h.ServeHTTP(rec, req); rec.Code != http.StatusOK {
				b.Errorf("HTTP %d", rec.Code)
				return
			}
		}
	})
}

// BenchmarkStatusTCP is the same call over loopback and kept-alive connections.
func BenchmarkStatusTCP(b *testing.B) {
	w, err := New(Config{PollRules: map[Provider]PollRule{}})
	if err != nil {
		b.Fatal(err)
	}
	defer w.Close()
	s, err := w.Start("")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	c, err := w.AddCharge(Charge{Provider: Atomopay, AmountCentavos: 1990})
	if err != nil {
		b.Fatal(err)
	}
	tr := &http.Transport{MaxIdleConnsPerHost: 64}
	defer tr.CloseIdleConnections()
	u := s.ProviderURL(Atomopay) + "/transactions/" + c.Hash + "?api_token=x"
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			req, err := http.NewRequest("GET", u, nil)
			if err != nil {
				b.Error(err)
				return
			}
			resp, err := tr.RoundTrip(req)
			if err != nil {
				b.Error(err)
				return
			}
			buf := make([]byte, 2048)
			for err == nil {
				_, err = resp.Body.Read(buf)
			}
			_ = resp.Body.Close()
		}
	})
}
