package sim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// mountControl serves the control API, for programs that are not in this
// process. README.md lists paths and bodies. It has no authentication:
// whoever reaches the listener may change the world.
func (w *World) mountControl(mux *http.ServeMux) {
	post := func(path string, f func(body []byte) (any, error)) {
		mux.HandleFunc("POST /control/"+path, func(rw http.ResponseWriter, r *http.Request) {
			body, err := readAll(r)
			if err == nil {
				var out any
				if out, err = f(body); err == nil {
					writeJSON(rw, http.StatusOK, out)
					w.bump()
					return
				}
			}
			controlError(rw, err)
		})
	}
	get := func(path string, f func(r *http.Request) (any, error)) {
		mux.HandleFunc("GET /control/"+path, func(rw http.ResponseWriter, r *http.Request) {
			out, err := f(r)
			if err != nil {
				controlError(rw, err)
				return
			}
			writeJSON(rw, http.StatusOK, out)
		})
	}
	w.controlCharges(post, get)
	w.controlSwitches(post, get)
	w.controlRecords(post, get)
	mux.HandleFunc("DELETE /control/faults", func(rw http.ResponseWriter, r *http.Request) {
		n := 0
		if v := r.URL.Query().Get("id"); v != "" {
			id, err := strconv.ParseInt(v, 10, 64)
			if err != nil {
				controlError(rw, fmt.Errorf("sim: bad fault id %q", v))
				return
			}
			if w.RemoveFault(FaultID(id)) {
				n = 1
			}
		} else {
			n = w.ClearFaults(r.URL.Query().Get("target"))
		}
		writeJSON(rw, http.StatusOK, map[string]int{"removed": n})
	})
	mux.HandleFunc("/control/", func(rw http.ResponseWriter, r *http.Request) {
		writeJSON(rw, http.StatusNotFound, map[string]string{"error": "sim: no such control path or method"})
	})
}

type (
	poster = func(path string, f func(body []byte) (any, error))
	getter = func(path string, f func(r *http.Request) (any, error))
)

// done is the answer to what has nothing else to say.
type done struct {
	OK bool `json:"ok"`
}

func (w *World) controlCharges(post poster, get getter) {
	post("accounts", func(b []byte) (any, error) { return act(b, w.AddAccount) })
	post("charges", func(b []byte) (any, error) {
		many, err := oneOrMany[chargeJSON](b)
		if err != nil {
			return nil, err
		}
		out := make([]chargeJSON, 0, len(many))
		for i, c := range many {
			added, err := w.AddCharge(c.charge())
			if err != nil {
				return nil, fmt.Errorf("charge %d of %d: %w", i+1, len(many), err)
			}
			out = append(out, showCharge(added))
		}
		if b[0] != '[' {
			return out[0], nil
		}
		return out, nil
	})
	get("charges", func(r *http.Request) (any, error) {
		q := r.URL.Query()
		p := Provider(q.Get("provider"))
		if id := q.Get("id"); id != "" {
			c, err := w.Charge(p, id)
			if err != nil {
				return nil, err
			}
			return showCharge(c), nil
		}
		if _, err := w.shop(p); err != nil {
			return nil, err
		}
		out := []chargeJSON{}
		for _, c := range w.Charges(p) {
			out = append(out, showCharge(c))
		}
		return out, nil
	})
	type which struct {
		Provider Provider `json:"provider"`
		ID       string   `json:"id"`
		IDs      []string `json:"ids"`
		Status   Status   `json:"status"`
		Word     string   `json:"word"`
		Amount   int64    `json:"amount_centavos"`
		Variant  string   `json:"variant"`
	}
	each := func(path string, f func(q which, id string) error) {
		post("charges/"+path, func(b []byte) (any, error) {
			return act(b, func(q which) error {
				if q.ID != "" {
					q.IDs = append(q.IDs, q.ID)
				}
				if len(q.IDs) == 0 {
					return errors.New("sim: id or ids is required")
				}
				for _, id := range q.IDs {
					if err := f(q, id); err != nil {
						return err
					}
				}
				return nil
			})
		})
	}
	for path, st := range map[string]Status{
		"pay": Paid, "refund": Refunded, "expire": Expired, "cancel": Cancelled, "fail": Failed,
		"chargeback": ChargedBack, "dispute": Disputed,
	} {
		each(path, func(q which, id string) error { return w.SetStatus(q.Provider, id, st) })
	}
	each("pay-again", func(q which, id string) error { return w.PayAgain(q.Provider, id) })
	each("status", func(q which, id string) error { return w.SetStatus(q.Provider, id, q.Status) })
	each("word", func(q which, id string) error { return w.SetWord(q.Provider, id, q.Word) })
	each("amount", func(q which, id string) error { return w.SetAmount(q.Provider, id, q.Amount) })
	each("webhook", func(q which, id string) error { return w.SendWebhook(q.Provider, id, q.Status, q.Variant) })
	post("charges/forget", func(b []byte) (any, error) {
		var q struct {
			Provider Provider `json:"provider"`
			Older    span     `json:"older"`
		}
		if err := strict(b, &q); err != nil {
			return nil, err
		}
		if _, err := w.shop(q.Provider); err != nil {
			return nil, err
		}
		return map[string]int{"forgotten": w.Forget(q.Provider, w.now().Add(-time.Duration(q.Older)))}, nil
	})
	post("charges/pay-pending", func(b []byte) (any, error) {
		var q which
		if err := strict(b, &q); err != nil {
			return nil, err
		}
		if _, err := w.shop(q.Provider); err != nil {
			return nil, err
		}
		return map[string]int{"paid": w.PayPending(q.Provider)}, nil
	})
}

func (w *World) controlSwitches(post poster, get getter) {
	post("faults", func(b []byte) (any, error) {
		var f faultJSON
		if err := strict(b, &f); err != nil {
			return nil, err
		}
		id, err := w.AddFault(f.fault())
		return map[string]FaultID{"id": id}, err
	})
	get("faults", func(*http.Request) (any, error) {
		out := []any{}
		for _, f := range w.Faults() {
			out = append(out, map[string]any{"id": f.ID, "fault": showFault(f.Fault), "seen": f.Seen, "fired": f.Fired})
		}
		return out, nil
	})
	post("webhooks", func(b []byte) (any, error) {
		return act(b, func(q struct {
			Provider Provider `json:"provider"`
			webhooksJSON
		}) error {
			return w.SetWebhooks(q.Provider, q.webhooks())
		})
	})
	post("poll-rules", func(b []byte) (any, error) {
		return act(b, func(q struct {
			Provider Provider `json:"provider"`
			PollRule
			MinInterval span `json:"min_interval"`
		}) error {
			q.PollRule.MinInterval = time.Duration(q.MinInterval)
			return w.SetPollRule(q.Provider, q.PollRule)
		})
	})
	post("buyers", func(b []byte) (any, error) {
		return act(b, func(q struct {
			Buyers
			Delay  span `json:"delay"`
			Spread span `json:"spread"`
		}) error {
			q.Buyers.Delay, q.Buyers.Spread = time.Duration(q.Delay), time.Duration(q.Spread)
			return w.SetBuyers(q.Buyers)
		})
	})
	post("payers", func(b []byte) (any, error) {
		return act(b, func(q struct {
			Payers
			Delay  span `json:"delay"`
			Spread span `json:"spread"`
		}) error {
			q.Payers.Delay, q.Payers.Spread = time.Duration(q.Delay), time.Duration(q.Spread)
			return w.SetPayers(q.Payers)
		})
	})
	post("telegram/bots", func(b []byte) (any, error) { return act(b, w.AddBot) })
	post("telegram/chats", func(b []byte) (any, error) { return act(b, w.AddChat) })
	post("telegram/limits", func(b []byte) (any, error) { return act(b, w.SetTelegramLimits) })
	post("telegram/member", func(b []byte) (any, error) {
		return act(b, func(q struct {
			Chat   int64  `json:"chat"`
			User   int64  `json:"user"`
			Status string `json:"status"`
		}) error {
			return w.SetMember(q.Chat, q.User, q.Status)
		})
	})
	post("telegram/join", func(b []byte) (any, error) {
		return act(b, func(q struct {
			Chat int64  `json:"chat"`
			User int64  `json:"user"`
			Link string `json:"link"`
		}) error {
			return w.Join(q.Chat, q.User, q.Link)
		})
	})
	post("meta/pixels", func(b []byte) (any, error) { return act(b, w.AddPixel) })
}

func (w *World) controlRecords(post poster, get getter) {
	get("counters", func(*http.Request) (any, error) { return w.Counters(), nil })
	get("telegram/messages", func(r *http.Request) (any, error) {
		var chat int64
		if v := r.URL.Query().Get("chat"); v != "" {
			var err error
			if chat, err = strconv.ParseInt(v, 10, 64); err != nil {
				return nil, fmt.Errorf("sim: bad chat %q", v)
			}
		}
		return filled(w.Messages(chat)), nil
	})
	get("telegram/calls", func(*http.Request) (any, error) { return filled(w.Calls()), nil })
	get("meta/events", func(r *http.Request) (any, error) { return filled(w.Events(r.URL.Query().Get("pixel"))), nil })
	get("deliveries", func(r *http.Request) (any, error) {
		return filled(w.Deliveries(Provider(r.URL.Query().Get("provider")))), nil
	})
	get("visits", func(*http.Request) (any, error) { return filled(w.Visits()), nil })
	get("health", func(*http.Request) (any, error) { return done{true}, nil })
	post("reset", func([]byte) (any, error) {
		w.Reset()
		return done{true}, nil
	})
}

// act decodes a body and does one thing with it.
func act[T any](b []byte, f func(T) error) (any, error) {
	var v T
	if err := strict(b, &v); err != nil {
		return nil, err
	}
	if err := f(v); err != nil {
		return nil, err
	}
	return done{true}, nil
}

// strict refuses unknown fields, so that a misspelt switch is not silence.
func strict(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("sim: body: %w", err)
	}
	return nil
}

func oneOrMany[T any](b []byte) ([]T, error) {
	b = bytes.TrimSpace(b)
	if len(b) > 0 && b[0] == '[' {
		var many []T
		return many, strict(b, &many)
	}
	one := make([]T, 1)
	return one, strict(b, &one[0])
}

func filled[T any](l []T) []T {
	if l == nil {
		return []T{}
	}
	return l
}

func readAll(r *http.Request) ([]byte, error) {
	const most = 64 << 20 // a load test adds its charges in one call
	var b bytes.Buffer
	if n, err := b.ReadFrom(http.MaxBytesReader(nil, r.Body, most)); err != nil {
		return nil, fmt.Errorf("sim: body after %d bytes: %w", n, err)
	}
	return b.Bytes(), nil
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		status, b = http.StatusInternalServerError, []byte(`{"error":"sim: answer does not marshal"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n'))
}

func controlError(w http.ResponseWriter, err error) {
	status := http.StatusBadRequest
	if errors.Is(err, ErrNotFound) {
		status = http.StatusNotFound
	}
	writeJSON(w, status, map[string]string{"error": err.Error()})
}
