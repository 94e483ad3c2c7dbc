package demo

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// Bar shows how many sales have settled: a bar on a terminal, a line a few seconds elsewhere.
type Bar struct {
	w      io.Writer
	screen *mpb.Progress
	bar    *mpb.Bar
	told   time.Time
}

// NewBar shows nothing before the first Set.
func NewBar(w io.Writer) *Bar {
	b := &Bar{w: w}
	if f, ok := w.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			b.screen = mpb.New(mpb.WithOutput(w), mpb.WithWidth(60), mpb.WithAutoRefresh())
		}
	}
	return b
}

// Set tells how far things are.
func (b *Bar) Set(settled, all int) {
	if b.screen == nil {
		if time.Since(b.told) > 3*time.Second {
			b.told = time.Now()
			fmt.Fprintf(b.w, "%d/%d\n", settled, all)
		}
		return
	}
	if b.bar == nil {
		b.bar = b.screen.AddBar(int64(all), mpb.PrependDecorators(decor.Name("liquidando / settling ")),
			mpb.AppendDecorators(decor.CountersNoUnit("%d/%d"), decor.Name(" "), decor.Elapsed(decor.ET_STYLE_GO)))
	}
	b.bar.SetTotal(int64(all), false)
	b.bar.SetCurrent(int64(settled))
}

// Done ends the bar.
func (b *Bar) Done() {
	if b.bar != nil {
		b.bar.SetTotal(-1, true)
		b.screen.Wait()
	}
}

// Tour says what there is to look at while the demonstration stays up.
func (d *Demo) Tour(w io.Writer, open offer) {
	visits := d.world.Visits()
	link := ""
	if len(visits) > 0 {
		link = visits[len(visits)-1].URL
	}
	fmt.Fprintf(w, `
  API               %s/docs
  uma entrega       %s
  um pagamento      %s
  simuladores       %s/control/counters

Em outro terminal / in another terminal:
  export BAIXA_ADDRESS=%s BAIXA_DATA=%s
  go run ./cmd/baixa doctor
  go run ./cmd/baixa explain %s
  # paga o que está aberto; a página vira o acesso / pays what is open; its page turns into the access
  curl -d '{"provider": "%s", "id": "%s"}' %s/control/charges/pay

Ctrl-C termina. / Ctrl-C ends it.
`, d.URL, link, open.page, d.sims.URL, d.GRPC, d.o.Data, "BOT58_1795189097_3aad2544", offerAt, open.charge, d.sims.URL)
}
