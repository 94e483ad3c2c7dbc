package message

import (
	"slices"
	"strings"
)

// Kind is what a buyer is told; a notification's kind is one of these, or counts as Delivery.
type Kind string

// The kinds.
const (
	Delivery       Kind = "delivery"        // paid: here is the link
	AccessRevoked  Kind = "access_revoked"  // the link was closed
	AccessRestored Kind = "access_restored" // the link works again
	InReview       Kind = "in_review"       // money arrived and a person must look at it
)

// Kinds lists them.
func Kinds() []Kind { return []Kind{Delivery, AccessRevoked, AccessRestored, InReview} }

// Known reports whether text is a kind.
func Known(text string) bool { return slices.Contains(Kinds(), Kind(text)) }

// Optional reports whether messages of a kind go out only where the merchant has stored a text for them.
func Optional(kind string) bool { return Known(kind) && Kind(kind) != Delivery }

// Languages of texts and buttons.
const (
	Portuguese = "pt-BR"
	English    = "en"
)

// words are what a language brings along: default texts, a button's label, and what stands for a name that is not known.
type words struct {
	bodies         map[Kind]string
	button, nobody string
}

var languages = map[string]words{
	Portuguese: {
		bodies: map[Kind]string{
			Delivery: "✅ <b>Pagamento confirmado!</b>\n\nOlá, {nome}! Recebemos o seu PIX de <b>{valor}</b>.\n\n" +
				"🎁 <b>{produto}</b>\n\n👉 Seu acesso: {link}",
			AccessRevoked: "Olá, {nome}. O pagamento de <b>{valor}</b> por <b>{produto}</b> foi devolvido ou contestado, " +
				"e por isso o acesso foi encerrado.\n\nSe foi um engano, responda a este bot.",
			AccessRestored: "✅ Olá, {nome}! O seu pagamento de <b>{valor}</b> por <b>{produto}</b> está confirmado de novo: o link que " +
				"você recebeu voltou a funcionar.",
			InReview: "Olá, {nome}! Recebemos um pagamento por <b>{produto}</b> e estamos conferindo os detalhes. " +
				"Assim que estiver tudo certo, o acesso chega aqui.",
		},
		button: "🔓 Acessar agora", nobody: "tudo bem",
	},
	English: {
		bodies: map[Kind]string{
			Delivery: "✅ <b>Payment confirmed!</b>\n\nHello, {nome}! We received your PIX of <b>{valor}</b>.\n\n" +
				"🎁 <b>{produto}</b>\n\n👉 Your access: {link}",
			AccessRevoked: "Hello, {nome}. The payment of <b>{valor}</b> for <b>{produto}</b> was given back or disputed, " +
				"so the access has ended.\n\nIf that was a mistake, answer this bot.",
			AccessRestored: "✅ Hello, {nome}! Your payment of <b>{valor}</b> for <b>{produto}</b> is confirmed again: the link that you " +
				"received works again.",
			InReview: "Hello, {nome}! We received a payment for <b>{produto}</b> and are checking its details. " +
				"As soon as all is well, the access arrives here.",
		},
		button: "🔓 Open now", nobody: "there",
	},
}

// Default is the text of a kind in a language; both are those of the delivery in Portuguese when they are not known.
func Default(kind Kind, lang string) string {
	l, ok := languages[lang]
	if !ok {
		l = languages[Portuguese]
	}
	if body, ok := l.bodies[kind]; ok {
		return body
	}
	return l.bodies[Delivery]
}

// defaults are the default texts taken apart, by text.
var defaults = func() map[string]body {
	out := map[string]body{}
	for _, l := range languages {
		for _, text := range l.bodies {
			out[text] = bodyOf(text)
		}
	}
	return out
}()

// placeholders are the names that merchants write, Portuguese first, and the value that each stands for.
var placeholders = []struct{ name, english, value string }{
	{"produto", "product", "produto"}, {"valor", "amount", "valor"}, {"link", "link", "link"}, {"nome", "name", "nome"}, {"bot", "bot", "bot"},
}

// meaning is the value that a placeholder stands for.
func meaning(name string) (value string, ok bool) {
	for _, p := range placeholders {
		if name == p.name || name == p.english {
			return p.value, true
		}
	}
	return "", false
}

// existing lists the placeholders for who misspelt one.
func existing() string {
	var b strings.Builder
	for i, p := range placeholders {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString("{" + p.name + "}")
		if p.english != p.name {
			b.WriteString(" {" + p.english + "}")
		}
	}
	return b.String()
}
