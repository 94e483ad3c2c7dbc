package delivery_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	deliveryv1 "github.com/baixapay/baixa/gen/baixa/delivery/v1"
)

const fileSecret = "segredo-de-exemplo-1234"

func TestLinkPolicy_fromTheRPCToThePage(t *testing.T) {
	w := newWorld(t)
	r := w.start()
	for range 2 {
		out, err := r.links.PutLinkPolicy(w.as(merchantA), &deliveryv1.PutLinkPolicyRequest{MaxOpens: 2, LifetimeAfterOpenSeconds: 3600, BindToDevice: true})
		if err != nil || out.GetPolicy().GetMaxOpens() != 2 || out.GetPolicy().GetMerchantId() != merchantA || out.GetPolicy().GetBotId() != "" {
			t.Fatalf("policy = %v, %v", out, err)
		}
	}
	req := request()
	link := w.issue(r, req)
	if d := w.get(r, req); d.GetOpensLeft() != 2 || !d.GetBoundToDevice() || d.GetDeviceKnown() || d.GetExpiresAt() != nil {
		t.Errorf("before the first visit: %v", d)
	}
	first := r.visitFrom(link.GetToken(), "203.0.113.1:1")
	if first.Code != http.StatusOK || !strings.Contains(first.Body.String(), "Resta 1 acesso") {
		t.Fatalf("first visit: status %d", first.Code)
	}
	if other := r.visitFrom(link.GetToken(), "203.0.113.2:1"); other.Code != http.StatusForbidden || strings.Contains(other.Body.String(), "t.me/") {
		t.Errorf("another device: status %d", other.Code)
	}
	for i, want := range []int{http.StatusOK, http.StatusGone} { // the same device moves about
		if got := r.visitFrom(link.GetToken(), fmt.Sprintf("198.51.100.%d:1", i), first.Result().Cookies()...); got.Code != want {
			t.Errorf("visit %d of the device: status %d, want %d", i+2, got.Code, want)
		}
	}
	if d := w.get(r, req); d.GetOpensLeft() != 0 || d.GetState() != deliveryv1.DeliveryState_DELIVERY_STATE_USED_UP || !d.GetDeviceKnown() || d.GetExpiresAt() == nil {
		t.Errorf("afterwards: %v", d)
	}
}

func TestLinkPolicy_refusesNonsense(t *testing.T) {
	w := newWorld(t)
	r := w.start()
	for field, req := range map[string]*deliveryv1.PutLinkPolicyRequest{
		"bot_id": {BotId: "35"}, "max_opens": {MaxOpens: -1}, "lifetime_seconds": {LifetimeSeconds: 59}, "lifetime_after_open_seconds": {LifetimeAfterOpenSeconds: -60},
		"purchase_unopened_after_seconds": {PurchaseUnopenedAfterSeconds: 7 * 24 * 3600},
	} {
		_, err := r.links.PutLinkPolicy(w.as(merchantA), req)
		if status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), field+":") {
			t.Errorf("a bad %s: %v; want InvalidArgument that names it", field, err)
		}
	}
	_, err := r.links.PutLinkPolicy(w.ctx, &deliveryv1.PutLinkPolicyRequest{})
	wantCode(t, "an operator who names no merchant", err, codes.InvalidArgument)
	if list, err := r.links.ListLinkPolicies(w.as(merchantA), &deliveryv1.ListLinkPoliciesRequest{}); err != nil || len(list.GetPolicies()) != 0 {
		t.Errorf("policies = %v, %v; want none", list, err)
	}
}

func TestFileKey_refusesNonsenseAndHidesTheSecret(t *testing.T) {
	w := newWorld(t)
	r := w.start()
	good := func() *deliveryv1.PutFileKeyRequest {
		return &deliveryv1.PutFileKeyRequest{KeyId: "k1", Secret: fileSecret}
	}
	for field, edit := range map[string]func(*deliveryv1.PutFileKeyRequest){
		"key_id": func(q *deliveryv1.PutFileKeyRequest) { q.KeyId = "k 1" }, "secret": func(q *deliveryv1.PutFileKeyRequest) { q.Secret = "short" },
		"lifetime_seconds": func(q *deliveryv1.PutFileKeyRequest) { q.LifetimeSeconds = 10 },
	} {
		req := good()
		edit(req)
		_, err := r.links.PutFileKey(w.as(merchantA), req)
		if status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), field+":") || strings.Contains(err.Error(), "short") {
			t.Errorf("a bad %s: %v; want InvalidArgument that names it and no secret", field, err)
		}
	}
	if _, err := r.links.PutFileKey(w.as(merchantA), good()); err != nil {
		t.Fatal(err)
	}
	list, err := r.links.ListFileKeys(w.as(merchantA), &deliveryv1.ListFileKeysRequest{})
	if err != nil || len(list.GetKeys()) != 1 || list.GetKeys()[0].GetLifetimeSeconds() != 300 || strings.Contains(list.String(), fileSecret) {
		t.Errorf("keys = %v, %v; want one, without its secret", list, err)
	}
}

func TestFile_fromTheSaleToTheMerchantsServer(t *testing.T) {
	w := newWorld(t)
	r := w.start()
	if _, err := r.links.PutFileKey(w.as(merchantA), &deliveryv1.PutFileKeyRequest{KeyId: "k1", Secret: fileSecret}); err != nil {
		t.Fatal(err)
	}
	req := request()
	req.AccessUrl, req.FileUrl = "", "https://files.example/curso.pdf?v=2"
	link := w.issue(r, req)
	body := r.visit(link.GetToken()).Body.String()
	button := regexp.MustCompile(`href="(/delivery/file/[A-Za-z0-9_-]{43})"`).FindStringSubmatch(body)
	if button == nil {
		t.Fatalf("the page has no button for the file:\n%s", body)
	}
	click := httptest.NewRequest(http.MethodGet, button[1], nil)
	click.Header.Set("User-Agent", phone)
	answer := httptest.NewRecorder()
	r.pages.ServeHTTP(answer, click)
	if got := answer.Header().Get("Location"); answer.Code != http.StatusSeeOther || !strings.HasPrefix(got, req.GetFileUrl()+"&baixa_expires=") || !strings.Contains(got, "&baixa_key=k1&baixa_signature=") {
		t.Errorf("click: status %d to %q", answer.Code, got)
	}
	if _, err := r.RevokeToken(w.ctx, &deliveryv1.RevokeTokenRequest{MerchantId: merchantA, PaymentId: req.GetPaymentId(), Reason: "refunded"}); err != nil {
		t.Fatal(err)
	}
	answer = httptest.NewRecorder()
	r.pages.ServeHTTP(answer, click)
	if answer.Code != http.StatusGone || answer.Header().Get("Location") != "" {
		t.Errorf("click after a refund: status %d", answer.Code)
	}
	for _, bad := range []string{"http://files.example/a", "files", "https://files.example/?baixa_key=x"} {
		req := request()
		req.AccessUrl, req.FileUrl = "", bad
		_, err := r.IssueToken(w.ctx, req)
		if status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), "file_url") {
			t.Errorf("%q: %v; want InvalidArgument that names file_url", bad, err)
		}
	}
	req = request()
	req.FileUrl = "https://files.example/a"
	_, err := r.IssueToken(w.ctx, req)
	wantCode(t, "access and file at once", err, codes.InvalidArgument)
}

func TestRegenerateToken_oldLinkEndsNewOneWorks(t *testing.T) {
	w := newWorld(t)
	r := w.start()
	req := request()
	link := w.issue(r, req)
	again := &deliveryv1.RegenerateTokenRequest{MerchantId: merchantA, PaymentId: req.GetPaymentId(), Key: "order 1"}
	var made []*deliveryv1.RegenerateTokenResponse
	for range 2 {
		out, err := r.RegenerateToken(w.as(merchantA), again)
		if err != nil {
			t.Fatal(err)
		}
		made = append(made, out)
	}
	if made[0].GetToken() == link.GetToken() || made[0].GetToken() != made[1].GetToken() || !made[0].GetCreated() || made[1].GetCreated() || made[0].GetUrl() != public+"/delivery/"+made[0].GetToken() {
		t.Errorf("made %v after %v; want one new link", made, link)
	}
	if old := r.visit(link.GetToken()); old.Code != http.StatusNotFound {
		t.Errorf("the link before: status %d, want 404", old.Code)
	}
	if page := r.visit(made[0].GetToken()); page.Code != http.StatusOK {
		t.Errorf("the new link: status %d", page.Code)
	}
	if issued := w.issue(r, req); issued.GetToken() != made[0].GetToken() || issued.GetCreated() {
		t.Error("issuing again gives another link than the new one")
	}
	if got, err := r.GetLink(w.as(merchantA), &deliveryv1.GetLinkRequest{PaymentId: req.GetPaymentId()}); err != nil || got.GetUrl() != made[0].GetUrl() {
		t.Errorf("GetLink: %v, %v; want the new link", got, err)
	}
	if d := w.get(r, req); d.GetGeneration() != 1 {
		t.Errorf("delivery = %v, want generation 1", d)
	}
	again.Key = ""
	_, err := r.RegenerateToken(w.ctx, again)
	wantCode(t, "without a key", err, codes.InvalidArgument)
	_, err = r.RegenerateToken(w.ctx, &deliveryv1.RegenerateTokenRequest{MerchantId: merchantA, PaymentId: merchantB, Key: "x"})
	wantCode(t, "unknown sale", err, codes.NotFound)
}

func TestUpdateAccess_ofALinkThatWaitedForIt(t *testing.T) {
	w := newWorld(t)
	r := w.start()
	req := request()
	req.AccessUrl, req.AccessFollows = "", true
	link := w.issue(r, req)
	if body := r.visit(link.GetToken()).Body.String(); strings.Contains(body, "Acessar agora") {
		t.Error("a button that leads nowhere")
	}
	for _, address := range []string{"t.me/+first", "https://t.me/+last"} {
		if _, err := r.UpdateAccess(w.as(merchantA), &deliveryv1.UpdateAccessRequest{PaymentId: req.GetPaymentId(), AccessUrl: address}); err != nil {
			t.Fatal(err)
		}
	}
	if body := r.visit(link.GetToken()).Body.String(); !strings.Contains(body, `href="https://t.me/&#43;last"`) {
		t.Error("the page does not lead to the last address")
	}
	for _, bad := range []string{"", "javascript:alert(1)"} {
		_, err := r.UpdateAccess(w.ctx, &deliveryv1.UpdateAccessRequest{MerchantId: merchantA, PaymentId: req.GetPaymentId(), AccessUrl: bad})
		wantCode(t, "an address that is none", err, codes.InvalidArgument)
	}
}
