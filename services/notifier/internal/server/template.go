package server

import (
	"context"
	"strings"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
	"github.com/baixapay/baixa/internal/auth"
	"github.com/baixapay/baixa/internal/money"
	"github.com/baixapay/baixa/internal/rpcerr"
	"github.com/baixapay/baixa/services/notifier/internal/message"
	"github.com/baixapay/baixa/services/notifier/internal/store"
)

// PutTemplate stores a checked text, or takes it away.
func (s *Server) PutTemplate(ctx context.Context, r *notifierv1.PutTemplateRequest) (*notifierv1.PutTemplateResponse, error) {
	owner, err := merchant(ctx, r.GetMerchantId())
	if err != nil {
		return nil, err
	}
	var f rpcerr.Fields
	bot := uuid.Nil
	if r.GetBotId() != "" {
		bot = id(&f, "bot_id", r.GetBotId())
	}
	lang := checkTemplate(&f, r.GetKind(), r.GetLang(), r.GetText())
	if err := f.Err(); err != nil {
		return nil, err
	}
	if bot != uuid.Nil {
		foreign, err := s.Store.ForeignBots(ctx, owner, []uuid.UUID{bot})
		if err != nil {
			return nil, err
		}
		if len(foreign) > 0 {
			return nil, rpcerr.Denied("bot_id: it is not this merchant's")
		}
	}
	t := store.Template{MerchantID: owner, BotID: bot, Kind: r.GetKind(), Lang: lang, Text: r.GetText()}
	if strings.TrimSpace(t.Text) == "" {
		t.Text = ""
	}
	if t, err = s.Store.PutTemplate(ctx, t); err != nil {
		return nil, err
	}
	if t.Text == "" {
		return &notifierv1.PutTemplateResponse{}, nil
	}
	return &notifierv1.PutTemplateResponse{Template: template(t)}, nil
}

// ListTemplates lists a merchant's texts.
func (s *Server) ListTemplates(ctx context.Context, r *notifierv1.ListTemplatesRequest) (*notifierv1.ListTemplatesResponse, error) {
	owner, err := merchant(ctx, r.GetMerchantId())
	if err != nil {
		return nil, err
	}
	list, err := s.Store.Templates(ctx, owner, nil)
	if err != nil {
		return nil, err
	}
	out := &notifierv1.ListTemplatesResponse{}
	for _, t := range list {
		out.Templates = append(out.Templates, template(t))
	}
	return out, nil
}

// example is what a preview shows.
var example = message.Values{Product: "Curso VIP", Amount: money.Amount(123456), Link: "https://example.com/delivery/abc123", Buyer: "Ana",
	Bot: "Minha Loja"}

// PreviewTemplate fills a text in. It is nobody's, so anybody known may ask.
func (s *Server) PreviewTemplate(ctx context.Context, r *notifierv1.PreviewTemplateRequest) (*notifierv1.PreviewTemplateResponse, error) {
	if !auth.From(ctx).Known() {
		return nil, rpcerr.Unauthenticated("a signed principal is needed")
	}
	var f rpcerr.Fields
	lang := checkTemplate(&f, r.GetKind(), r.GetLang(), r.GetText())
	c := check{fields: &f}
	c.text("product_name", r.GetProductName())
	c.text("buyer_name", r.GetBuyerName())
	c.text("bot_name", r.GetBotName())
	if err := f.Err(); err != nil {
		return nil, err
	}
	v := example
	v.Lang = lang
	for given, put := range map[*string]string{&v.Product: r.GetProductName(), &v.Buyer: r.GetBuyerName(), &v.Bot: r.GetBotName()} {
		if put != "" {
			*given = put
		}
	}
	parsed, err := message.Parse(message.Kind(r.GetKind()), r.GetText())
	if err != nil {
		return nil, err // was checked above
	}
	text, words := parsed.Render(v), r.GetText()
	if parsed.Default() {
		words = message.Default(message.Kind(r.GetKind()), lang)
	}
	return &notifierv1.PreviewTemplateResponse{Text: words, Html: text.HTML, Plain: text.Plain, Button: text.Button,
		Length: int32(message.Length(text.Plain))}, nil
}

// checkTemplate notes what is wrong with a text and returns its language.
func checkTemplate(f *rpcerr.Fields, kind, lang, text string) string {
	f.Require(message.Known(kind), "kind", "one of "+kinds())
	f.Require(goodLang(lang), "lang", "pt-BR, en or empty")
	if _, err := message.Parse(message.Kind(kind), text); err != nil && message.Known(kind) {
		f.Require(false, "text", strings.TrimPrefix(err.Error(), message.ErrTemplate.Error()+": "))
	}
	if lang == "" {
		return message.Portuguese
	}
	return lang
}

func kinds() string {
	var all []string
	for _, k := range message.Kinds() {
		all = append(all, string(k))
	}
	return strings.Join(all, ", ")
}

func template(t store.Template) *notifierv1.Template {
	out := &notifierv1.Template{MerchantId: t.MerchantID.String(), Kind: t.Kind, Lang: t.Lang, Text: t.Text, UpdatedAt: timestamppb.New(t.UpdatedAt)}
	if t.BotID != uuid.Nil {
		out.BotId = t.BotID.String()
	}
	return out
}
