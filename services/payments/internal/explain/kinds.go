package explain

import (
	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
	"github.com/baixapay/baixa/services/payments/internal/explain/wording"
	"github.com/baixapay/baixa/services/payments/internal/payment"
)

// kinds are the sentences of a history's kinds. Their values are the event's details, and the sale's {provider} and {price}.
var kinds = map[payment.Kind]wording.Sentence{
	payment.Reported:         {PT: "Consultamos a {provider:provider}[ ({endpoint})][, HTTP {http_status}]: ela respondeu[ “{provider_status}”, isto é:] {status:status}[, {amount_centavos:money}][; levou {slow:duration}].", EN: "We asked {provider:provider}[ ({endpoint})][, HTTP {http_status}]: it answered[ “{provider_status}”, that is:] {status:status}[, {amount_centavos:money}][; it took {slow:duration}]."},
	payment.ExpiryReached:    {PT: "O prazo da venda acabou pelo nosso relógio.", EN: "The sale's time ended by our clock."},
	payment.ChargeFailed:     {PT: "A {provider:provider} recusou criar a cobrança PIX[: {reason}][ (HTTP {http_status})].", EN: "{provider:provider} refused to make the PIX charge[: {reason}][ (HTTP {http_status})]."},
	payment.ReviewAccepted:   {PT: "Uma pessoa aceitou o dinheiro em revisão[: “{note}”].", EN: "A person accepted the money under review[: “{note}”]."},
	payment.ReviewRefused:    {PT: "Uma pessoa recusou o dinheiro em revisão[: “{note}”].", EN: "A person refused the money under review[: “{note}”]."},
	payment.SecondPayment:    {PT: "Um extrato ou uma pessoa apontou mais um pagamento desta venda[ de {amount_centavos:money}][: “{note}”].", EN: "A statement or a person names a further payment of this sale[ of {amount_centavos:money}][: “{note}”]."},
	payment.DeliveryOrdered:  {PT: "A entrega foi pedida[: “{note}”].", EN: "The delivery was ordered[: “{note}”]."},
	payment.Created:          {PT: "Venda criada: {price:money}, cobrança pela {provider:provider}.", EN: "Sale created: {price:money}, charged through {provider:provider}."},
	payment.Imported:         {PT: "Venda importada de outro sistema: {price:money} na {provider:provider}, feita lá em {created_at:time}.", EN: "Sale imported from another system: {price:money} at {provider:provider}, made there at {created_at:time}."},
	payment.Registered:       {PT: "Venda registrada com uma cobrança que já existia na {provider:provider}: {price:money}, feita em {created_at:time}.", EN: "Sale registered with a charge that existed at {provider:provider} already: {price:money}, made at {created_at:time}."},
	payment.ChargeRequested:  {PT: "Pedimos a cobrança PIX à {provider:provider}.", EN: "We ask {provider:provider} for a PIX charge."},
	payment.ChargeCreated:    {PT: "A {provider:provider} criou a cobrança PIX[ (HTTP {http_status})][; o QR code vale até {qr_end:time}].", EN: "{provider:provider} made the PIX charge[ (HTTP {http_status})][; the QR code is good until {qr_end:time}]."},
	payment.ChargeUnsure:     {PT: "A resposta da {provider:provider} ao pedido de cobrança se perdeu[ ({reason})]: a cobrança pode existir e será procurada pela nossa referência.", EN: "{provider:provider}'s answer to the request for a charge was lost[ ({reason})]: the charge may exist and is looked for by our reference."},
	payment.HintReceived:     {PT: "Chegou um webhook da {provider:provider}[, que diz “{provider_status}”][ ({claimed:status})][, {claimed_centavos:money}]. Webhook é só um aviso: vale o que a consulta disser.", EN: "A webhook came from {provider:provider}[, saying “{provider_status}”][ ({claimed:status})][, {claimed_centavos:money}]. A webhook is only a notice: what counts is what the look says."},
	payment.HintRefused:      {PT: "Chegou um webhook da {provider:provider}, além do limite de avisos por venda: fica anotado e não adianta a consulta.", EN: "A webhook came from {provider:provider} beyond the limit of notices for one sale: it is noted and brings no look forward."},
	payment.HintDisproved:    {PT: "O que o webhook afirmava[ ({claimed:status})] a {provider:provider} não confirmou: aviso falso ou adiantado, nada muda.", EN: "{provider:provider} did not confirm what the webhook claimed[ ({claimed:status})]: a forged or early notice, nothing changes."},
	payment.RecheckRequested: {PT: "Alguém pediu uma consulta agora (“já paguei”).", EN: "Somebody asked for a look now (“I have paid”)."},
	payment.BuyerPresent:     {PT: "O comprador está com a página de pagamento aberta.", EN: "The buyer has the payment page open."},
	payment.PollFailed:       {PT: "Consultamos a {provider:provider}[ ({endpoint})][, HTTP {http_status}]: {outcome:outcome}[; levou {slow:duration}].", EN: "We asked {provider:provider}[ ({endpoint})][, HTTP {http_status}]: {outcome:outcome}[; it took {slow:duration}]."},
	payment.StateChanged:     {PT: "A situação da venda mudou.", EN: "The sale's state changed."},
	payment.TokenIssued:      {PT: "O link de entrega foi criado.", EN: "The delivery link was made."},
	payment.TokenFailed:      {PT: "O link de entrega não pôde ser criado[: {reason:told}].", EN: "The delivery link could not be made[: {reason:told}]."},
	payment.TokenRevoked:     {PT: "O link de entrega foi fechado[: {reason:revoked}].", EN: "The delivery link was closed[: {reason:revoked}]."},
	payment.TokenRestored:    {PT: "O link de entrega foi reaberto.", EN: "The delivery link was opened again."},
	payment.TokenRegenerated: {PT: "O link de entrega foi refeito; o anterior não abre mais.", EN: "The delivery link was made anew; the one before does not open any more."},
	payment.GroupLinkReady:   {PT: "O convite do comprador para o grupo está pronto.", EN: "The buyer's invite to the group is ready."},
	payment.GroupJoined:      {PT: "O comprador entrou no grupo[; o acesso vale até {until:time}].", EN: "The buyer joined the group[; the access lasts until {until:time}]."},
	payment.GroupExtended:    {PT: "O acesso ao grupo foi prolongado[ até {until:time}].", EN: "The access to the group was extended[ until {until:time}]."},
	payment.GroupEnded:       {PT: "O prazo deste acesso acabou; o comprador fica no grupo por outra compra.", EN: "This access is over; the buyer stays in the group by another sale."},
	payment.GroupRemoved:     {PT: "O comprador foi retirado do grupo.", EN: "The buyer was taken out of the group."},
	payment.GroupCancelled:   {PT: "O acesso ao grupo foi cancelado[: {reason:revoked}].", EN: "The access to the group was cancelled[: {reason:revoked}]."},
	payment.GroupRestored:    {PT: "O acesso ao grupo foi devolvido; o comprador precisa do novo convite.", EN: "The access to the group was given back; the buyer needs the new invite."},
	payment.GroupFailed:      {PT: "O acesso ao grupo esbarrou em algo[: {reason:group}].", EN: "The access to the group ran into something[: {reason:group}]."},
	payment.GroupLate:        {PT: "O convite do grupo não ficou pronto a tempo[ ({reason:group})]: a página foi com o texto de contato e mostra o convite assim que ele existir.", EN: "The group's invite was not ready in time[ ({reason:group})]: the page went out with the contact text and shows the invite once it exists."},
	payment.AccessMissing:    {PT: "O link de entrega não leva a lugar nenhum[: {reason:access}]; a página mostra o texto de contato.", EN: "The delivery link leads nowhere[: {reason:access}]; the page shows the contact text."},
	payment.ResendOrdered:    {PT: "Alguém cuidou da entrega de novo[: pediu {order:resend}].", EN: "Somebody saw to the delivery again[: asked {order:resend}]."},
	payment.MessageQueued:    {PT: "A mensagem com o link entrou na fila do Telegram[; ela espera: {reason:told}].", EN: "The message with the link was queued for Telegram[; it waits: {reason:told}]."},
	payment.MessageSent:      {PT: "A mensagem com o link foi enviada ao comprador pelo Telegram[, pelo bot reserva “{carrier}”][ (com o da venda: {carrier_because:told})].", EN: "The message with the link was sent to the buyer by Telegram[, by the fallback bot “{carrier}”][ (with the sale's own: {carrier_because:told})]."},
	payment.MessageFailed:    {PT: "A mensagem com o link não chega ao comprador[: {reason:told}][; tentou também o bot reserva “{carrier}”][ (com o da venda: {carrier_because:told})].", EN: "The message with the link does not reach the buyer[: {reason:told}][; the fallback bot “{carrier}” tried as well][ (with the sale's own: {carrier_because:told})]."},
	payment.MessageUnsure:    {PT: "A mensagem com o link pode ter chegado ou não[: {reason:told}][ (pelo bot reserva “{carrier}”)]; para não mandar duas vezes, ela não é repetida.", EN: "The message with the link may or may not have arrived[: {reason:told}][ (by the fallback bot “{carrier}”)]; so that it is not sent twice it is not repeated."},
	payment.BuyerUnreachable: {PT: "Não há mais nenhum caminho até o comprador[: {reason:told}].", EN: "There is no way left to reach the buyer[: {reason:told}]."},
	payment.Opened:           {PT: "O comprador abriu a página de entrega.", EN: "The buyer opened the delivery page."},
	payment.PurchaseQueued:   {PT: "O evento Purchase entrou na fila da Meta.", EN: "The Purchase event was queued for Meta."},
	payment.PurchaseSent:     {PT: "A Meta aceitou o evento Purchase[ depois de {tries:attempts}].", EN: "Meta accepted the Purchase event[ after {tries:attempts}]."},
	payment.PurchaseFailed:   {PT: "A Meta recusou o evento Purchase[: {reason:purchase}].", EN: "Meta refused the Purchase event[: {reason:purchase}]."},
	payment.PurchaseSkipped:  {PT: "Nenhum Purchase foi enviado[: {reason:purchase}].", EN: "No Purchase was sent[: {reason:purchase}]."},
	payment.PixelPaused:      {PT: "A Meta recusa o token do pixel[ ({reason})]: ele está pausado, e os Purchases esperam um token novo.", EN: "Meta refuses the pixel's token[ ({reason})]: it is paused, and Purchases wait for a new one."},
	payment.PixelMissing:     {PT: "Este bot não tem pixel cadastrado: o dono foi avisado uma vez.", EN: "This bot has no pixel: the owner was told once."},
	payment.OwnerNotified:    {PT: "O dono do bot foi avisado no painel[: {news:news}].", EN: "The bot's owner was told on screen[: {news:news}]."},
	payment.OwnerFailed:      {PT: "O dono do bot não pôde ser avisado[: {news:news}].", EN: "The bot's owner could not be told[: {news:news}]."},
	payment.NoteAdded:        {PT: "Anotação[: “{note}”].", EN: "Note[: “{note}”]."},
}

// notices are what notifier told beside the link, by how that ended; {message} is which.
var notices = map[notifierv1.NotificationState]wording.Sentence{
	notifierv1.NotificationState_NOTIFICATION_STATE_SENT:          {PT: "O comprador recebeu pelo Telegram {message:message}[, do bot reserva “{carrier}”].", EN: "The buyer got {message:message} by Telegram[, from the fallback bot “{carrier}”]."},
	notifierv1.NotificationState_NOTIFICATION_STATE_UNDELIVERABLE: {PT: "Não chega ao comprador {message:message}[: {reason:told}].", EN: "The buyer does not get {message:message}[: {reason:told}]."},
	notifierv1.NotificationState_NOTIFICATION_STATE_MAYBE_SENT:    {PT: "Pode ter chegado ao comprador, ou não, {message:message}[: {reason:told}].", EN: "The buyer may or may not have got {message:message}[: {reason:told}]."},
	notifierv1.NotificationState_NOTIFICATION_STATE_QUEUED:        {PT: "Está na fila do Telegram {message:message}[: {reason:told}].", EN: "Queued for Telegram: {message:message}[ ({reason:told})]."},
}

// services say where each kind happens; the others happen in payments.
var services = map[payment.Kind]string{
	payment.Reported: "gateways", payment.PollFailed: "gateways", payment.ChargeRequested: "gateways", payment.ChargeCreated: "gateways",
	payment.ChargeUnsure: "gateways", payment.ChargeFailed: "gateways",
	payment.GroupLinkReady: "notifier", payment.GroupJoined: "notifier", payment.GroupExtended: "notifier", payment.GroupEnded: "notifier",
	payment.GroupRemoved: "notifier", payment.GroupCancelled: "notifier", payment.GroupRestored: "notifier", payment.GroupFailed: "notifier",
	payment.TokenRegenerated: "delivery", payment.AccessMissing: "delivery", payment.PixelPaused: "delivery", payment.PixelMissing: "delivery",
	payment.TokenIssued: "delivery", payment.TokenFailed: "delivery", payment.TokenRevoked: "delivery", payment.TokenRestored: "delivery",
	payment.Opened: "delivery", payment.PurchaseQueued: "delivery", payment.PurchaseSent: "delivery", payment.PurchaseFailed: "delivery",
	payment.PurchaseSkipped: "delivery",
	payment.MessageQueued:   "notifier", payment.MessageSent: "notifier", payment.MessageFailed: "notifier", payment.MessageUnsure: "notifier",
	payment.BuyerUnreachable: "notifier", payment.OwnerNotified: "notifier", payment.OwnerFailed: "notifier",
}

func serviceOf(k payment.Kind) string {
	if s, ok := services[k]; ok {
		return s
	}
	return "payments"
}
