package delivery_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	deliveryv1 "github.com/baixapay/baixa/gen/baixa/delivery/v1"
	typev1 "github.com/baixapay/baixa/gen/baixa/type/v1"
	"github.com/baixapay/baixa/services/delivery"
)

func TestIssueToken_sameLinkAgain(t *testing.T) {
	w := newWorld(t)
	r := w.start()
	req := request()
	first := w.issue(r, req)
	if !first.GetCreated() || first.GetUrl() != public+"/delivery/"+first.GetToken() || len(first.GetToken()) != 43 {
		t.Errorf("first answer: created %v, url of %d characters", first.GetCreated(), len(first.GetUrl()))
	}
	if _, err := r.RevokeToken(w.ctx, &deliveryv1.RevokeTokenRequest{MerchantId: merchantA, PaymentId: req.GetPaymentId(), Reason: "refunded"}); err != nil {
		t.Fatal(err)
	}
	again := w.issue(r, req)
	if again.GetCreated() || again.GetToken() != first.GetToken() {
		t.Errorf("again: created %v, same token %v; want the same link", again.GetCreated(), again.GetToken() == first.GetToken())
	}
	if d := w.get(r, req); d.GetState() != deliveryv1.DeliveryState_DELIVERY_STATE_REVOKED || d.GetStateReason() != "refunded" {
		t.Errorf("state %v %q, want revoked: issuing again restores nothing", d.GetState(), d.GetStateReason())
	}
}

func TestIssueToken_concurrentOnTwoReplicas(t *testing.T) {
	w := newWorld(t)
	replicas := []*replica{w.start(), w.start()}
	req := request()
	var mu sync.Mutex
	tokens, created := map[string]bool{}, 0
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			out, err := replicas[i%2].IssueToken(w.ctx, req)
			if err != nil {
				t.Errorf("IssueToken: %v", err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			tokens[out.GetToken()] = true
			if out.GetCreated() {
				created++
			}
		})
	}
	wg.Wait()
	if len(tokens) != 1 || created != 1 {
		t.Errorf("%d tokens, created %d times; want one of each", len(tokens), created)
	}
}

func TestIssueToken_afterAKeyChange(t *testing.T) {
	w := newWorld(t)
	old := w.start()
	req := request()
	before := w.issue(old, req)
	fresh := w.start(func(c *delivery.Config) { c.TokenKey = 2 })
	if after := w.issue(fresh, req); after.GetToken() != before.GetToken() {
		t.Error("a new key changed an old link")
	}
	other := request()
	made := w.issue(fresh, other)
	// The old replica has never seen key 2 and must learn it.
	if again := w.issue(old, other); again.GetToken() != made.GetToken() || again.GetCreated() {
		t.Error("a replica without the new key makes another link of the same sale")
	}
	for _, link := range []string{before.GetToken(), made.GetToken()} {
		if got := old.visit(link).Code; got != http.StatusOK {
			t.Errorf("page: status %d, want 200", got)
		}
	}
}

func TestIssueToken_refusesWhatIsMissing(t *testing.T) {
	w := newWorld(t)
	r := w.start()
	for field, edit := range map[string]func(*deliveryv1.IssueTokenRequest){
		"merchant_id": func(q *deliveryv1.IssueTokenRequest) { q.MerchantId = "" }, "payment_id": func(q *deliveryv1.IssueTokenRequest) { q.PaymentId = "7" },
		"bot_id": func(q *deliveryv1.IssueTokenRequest) { q.BotId = "" }, "product_name": func(q *deliveryv1.IssueTokenRequest) { q.ProductName = " " },
		"amount":          func(q *deliveryv1.IssueTokenRequest) { q.Amount.Centavos = 0 },
		"amount.currency": func(q *deliveryv1.IssueTokenRequest) { q.Amount.Currency = "USD" },
		"access_url":      func(q *deliveryv1.IssueTokenRequest) { q.AccessUrl = "javascript:alert(1)" },
	} {
		req := request()
		edit(req)
		_, err := r.IssueToken(w.ctx, req)
		if status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), field+":") {
			t.Errorf("without a good %s: %v; want InvalidArgument that names it", field, err)
		}
	}
	bad := request()
	bad.ProductName = ""
	good := request()
	_, err := r.BatchIssueTokens(w.ctx, &deliveryv1.BatchIssueTokensRequest{Requests: []*deliveryv1.IssueTokenRequest{good, bad}})
	if status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), "requests[1].product_name") {
		t.Errorf("batch with a bad one: %v; want InvalidArgument that names it", err)
	}
	_, err = r.GetDelivery(w.ctx, &deliveryv1.GetDeliveryRequest{PaymentId: good.GetPaymentId()})
	wantCode(t, "the good one of a refused batch", err, codes.NotFound)
	for _, n := range []int{0, 501} {
		_, err := r.BatchIssueTokens(w.ctx, &deliveryv1.BatchIssueTokensRequest{Requests: make([]*deliveryv1.IssueTokenRequest, n)})
		wantCode(t, "batch size", err, codes.InvalidArgument)
	}
}

func TestIssueToken_oddAttributionNeverBlocks(t *testing.T) {
	w := newWorld(t)
	r := w.start()
	req := request()
	req.AccessUrl = "t.me/invented"
	req.BuyerEmail, req.BuyerPhone = "not an address", "??"
	req.PaidAt = &timestamppb.Timestamp{Seconds: -9e15}
	req.ProductName = strings.Repeat("ç", 5000)
	req.Tracking = &typev1.Tracking{UtmSource: strings.Repeat("x", 100_000), Fbclid: "a\x00b", ClickTimeMs: -5, PageviewEventId: "' OR 1"}
	out := w.issue(r, req)
	page := r.visit(out.GetToken())
	if page.Code != http.StatusOK || !strings.Contains(page.Body.String(), `href="https://t.me/invented"`) {
		t.Errorf("page: status %d, want 200 with the t.me link", page.Code)
	}
}

func TestBatchIssueTokens_fiveHundredInOrder(t *testing.T) {
	w := newWorld(t)
	r := w.start()
	reqs := make([]*deliveryv1.IssueTokenRequest, 500)
	for i := range reqs {
		reqs[i] = request()
	}
	single := w.issue(r, reqs[250])
	out, err := r.BatchIssueTokens(w.ctx, &deliveryv1.BatchIssueTokensRequest{Requests: reqs})
	if err != nil || len(out.GetResponses()) != 500 {
		t.Fatalf("%d answers, %v", len(out.GetResponses()), err)
	}
	for i, resp := range out.GetResponses() {
		if resp.GetCreated() != (i != 250) {
			t.Errorf("answer %d: created %v", i, resp.GetCreated())
		}
	}
	if out.GetResponses()[250].GetToken() != single.GetToken() {
		t.Error("answers are not in the order of the requests")
	}
	got, err := r.GetDelivery(w.ctx, &deliveryv1.GetDeliveryRequest{Token: out.GetResponses()[499].GetToken()})
	if err != nil || got.GetDelivery().GetPaymentId() != reqs[499].GetPaymentId() {
		t.Errorf("the last token is of %s, %v; want %s", got.GetDelivery().GetPaymentId(), err, reqs[499].GetPaymentId())
	}
}

func TestGetDelivery_codes(t *testing.T) {
	w := newWorld(t)
	r := w.start()
	req := request()
	link := w.issue(r, req)
	for name, c := range map[string]struct {
		req  *deliveryv1.GetDeliveryRequest
		want codes.Code
	}{
		"by payment": {&deliveryv1.GetDeliveryRequest{PaymentId: req.GetPaymentId()}, codes.OK},
		"by token":   {&deliveryv1.GetDeliveryRequest{Token: link.GetToken()}, codes.OK},
		"neither":    {&deliveryv1.GetDeliveryRequest{}, codes.InvalidArgument},
		"both":       {&deliveryv1.GetDeliveryRequest{PaymentId: req.GetPaymentId(), Token: link.GetToken()}, codes.InvalidArgument},
		"no UUID":    {&deliveryv1.GetDeliveryRequest{PaymentId: "1"}, codes.InvalidArgument},
		"unknown":    {&deliveryv1.GetDeliveryRequest{PaymentId: merchantB}, codes.NotFound},
		"no token":   {&deliveryv1.GetDeliveryRequest{Token: "x"}, codes.NotFound},
		"wrong":      {&deliveryv1.GetDeliveryRequest{Token: strings.Repeat("A", 43)}, codes.NotFound},
		"merchant":   {&deliveryv1.GetDeliveryRequest{MerchantId: "x", PaymentId: req.GetPaymentId()}, codes.InvalidArgument},
	} {
		out, err := r.GetDelivery(w.ctx, c.req)
		wantCode(t, name, err, c.want)
		if err == nil && out.GetDelivery().GetPurchase().GetState() != deliveryv1.PurchaseState_PURCHASE_STATE_WAITING_OPEN {
			t.Errorf("%s: purchase %v, want waiting for the page", name, out.GetDelivery().GetPurchase())
		}
	}
}

func TestRevokeToken_thenRestore(t *testing.T) {
	w := newWorld(t)
	r := w.start()
	req := request()
	link := w.issue(r, req)
	for _, reason := range []string{"disputed", "charged_back"} {
		out, err := r.RevokeToken(w.ctx, &deliveryv1.RevokeTokenRequest{MerchantId: merchantA, PaymentId: req.GetPaymentId(), Reason: reason})
		if err != nil || out.GetDelivery().GetStateReason() != "disputed" {
			t.Errorf("revoke: %v, %v; want the first reason kept", out.GetDelivery(), err)
		}
	}
	if page := r.visit(link.GetToken()); page.Code != http.StatusGone || strings.Contains(page.Body.String(), "t.me") {
		t.Errorf("revoked page: status %d", page.Code)
	}
	found, err := r.FindUnissued(w.ctx, &deliveryv1.FindUnissuedRequest{MerchantId: merchantA, PaymentIds: []string{merchantB, req.GetPaymentId()}})
	if err != nil || len(found.GetPaymentIds()) != 1 || found.GetPaymentIds()[0] != merchantB {
		t.Errorf("unissued: %v, %v", found, err)
	}
	found, err = r.FindUnissued(w.as(merchantB), &deliveryv1.FindUnissuedRequest{PaymentIds: []string{req.GetPaymentId()}})
	if err != nil || len(found.GetPaymentIds()) != 1 {
		t.Errorf("another merchant is told of what is not its own: %v, %v", found, err)
	}
	_, err = r.FindUnissued(w.ctx, &deliveryv1.FindUnissuedRequest{MerchantId: merchantA, PaymentIds: []string{"x"}})
	wantCode(t, "no id", err, codes.InvalidArgument)
	_, err = r.FindUnissued(w.ctx, &deliveryv1.FindUnissuedRequest{MerchantId: merchantA})
	wantCode(t, "no sales", err, codes.InvalidArgument)
	for range 2 {
		out, err := r.RestoreToken(w.ctx, &deliveryv1.RestoreTokenRequest{MerchantId: merchantA, PaymentId: req.GetPaymentId()})
		if err != nil || out.GetDelivery().GetState() != deliveryv1.DeliveryState_DELIVERY_STATE_ACTIVE {
			t.Errorf("restore: %v, %v; want active", out.GetDelivery(), err)
		}
	}
	if page := r.visit(link.GetToken()); page.Code != http.StatusOK {
		t.Errorf("restored page: status %d, want 200", page.Code)
	}
	_, err = r.RevokeToken(w.ctx, &deliveryv1.RevokeTokenRequest{MerchantId: merchantA, PaymentId: req.GetPaymentId(), Reason: "bored"})
	wantCode(t, "unknown reason", err, codes.InvalidArgument)
	_, err = r.RevokeToken(w.ctx, &deliveryv1.RevokeTokenRequest{MerchantId: merchantA, PaymentId: merchantB, Reason: "manual"})
	wantCode(t, "unknown sale", err, codes.NotFound)
}

func TestPage_limitsOfNewLinks(t *testing.T) {
	w := newWorld(t)
	r := w.start(func(c *delivery.Config) { c.LinkOpens, c.LinkLifetime = 1, time.Hour })
	req := request()
	link := w.issue(r, req)
	for i, want := range []int{http.StatusOK, http.StatusGone} {
		if got := r.visitFrom(link.GetToken(), fmt.Sprintf("203.0.113.%d:1", i)).Code; got != want {
			t.Errorf("visit %d: status %d, want %d", i+1, got, want)
		}
	}
	if d := w.get(r, req); d.GetState() != deliveryv1.DeliveryState_DELIVERY_STATE_USED_UP || d.GetStateReason() != "used_up" || d.GetOpens() != 1 {
		t.Errorf("delivery = %v, want used up after one visit", d)
	}
}

func TestPutPixel_refusesNonsense(t *testing.T) {
	w := newWorld(t)
	r := w.start()
	good := func() *deliveryv1.PutPixelRequest {
		return &deliveryv1.PutPixelRequest{MerchantId: merchantA, PixelId: "123456789012345", AccessToken: " EAAinvented\n"}
	}
	for field, edit := range map[string]func(*deliveryv1.PutPixelRequest){
		"pixel_id": func(q *deliveryv1.PutPixelRequest) { q.PixelId = "12345x" }, "access_token": func(q *deliveryv1.PutPixelRequest) { q.AccessToken = " " },
		"bot_id": func(q *deliveryv1.PutPixelRequest) { q.BotId = "7" }, "api_version": func(q *deliveryv1.PutPixelRequest) { q.ApiVersion = "../v1" },
		"test_event_code": func(q *deliveryv1.PutPixelRequest) { q.TestEventCode = "a b" },
		"base_url":        func(q *deliveryv1.PutPixelRequest) { q.BaseUrl = "http://10.0.0.1" },
	} {
		req := good()
		edit(req)
		_, err := r.pixels.PutPixel(w.ctx, req)
		if status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), field+":") {
			t.Errorf("without a good %s: %v; want InvalidArgument that names it", field, err)
		}
	}
	redirected := good()
	redirected.BaseUrl = "https://collector.example"
	_, err := r.pixels.PutPixel(w.as(merchantA), redirected)
	wantCode(t, "a merchant's base_url", err, codes.PermissionDenied)
	for range 2 {
		if _, err := r.pixels.PutPixel(w.as(merchantA), good()); err != nil {
			t.Fatal(err)
		}
	}
	list, err := r.pixels.ListPixels(w.as(merchantA), &deliveryv1.ListPixelsRequest{})
	if err != nil || len(list.GetPixels()) != 1 || list.GetPixels()[0].GetApiVersion() != "v21.0" || strings.Contains(list.String(), "EAAinvented") {
		t.Errorf("pixels = %v, %v; want one, without its token", list, err)
	}
}
