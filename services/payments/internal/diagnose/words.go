package diagnose

import "github.com/baixapay/baixa/services/payments/internal/explain/wording"

// The severities, the worst first.
const (
	problem = "problem" // money or a buyer waits, and it does not pass by itself
	warning = "warning" // works, but not as it should
	info    = "info"    // worth knowing
)

// finding is one kind of finding in words.
type finding struct {
	severity     string
	text, action wording.Sentence
}

// findings are all kinds, by code. Their values are those that find.go gives.
var findings = map[string]finding{
	"paid_not_delivered": {problem,
		wording.Sentence{PT: "{n:sales} ({amount:money}) com pagamento confirmado há mais de 2 minutos e sem link de entrega.", EN: "{n:sales} ({amount:money}) confirmed as paid for more than 2 minutes and without a delivery link."},
		wording.Sentence{PT: "Veja por quê: `baixa explain {sample}`. Se o serviço de entrega estiver fora do ar, ponha-o de pé: as entregas continuam sozinhas.", EN: "See why: `baixa explain {sample}`. If the delivery service is down, bring it up: the deliveries go on by themselves."}},
	"sales_unreadable": {problem,
		wording.Sentence{PT: "{n:sales} com o registro guardado ilegível (alguém o editou à mão): nada acontece com elas até o conserto.", EN: "{n:sales} whose stored row cannot be read (somebody edited it by hand): nothing happens to them until it is repaired."},
		wording.Sentence{PT: "A primeira é {sample}; o log do serviço payments (\"sale set aside\") e `baixa prove` nomeiam todas e dizem o que está errado. Conserte a coluna facts (docs/runbook.md); a venda continua sozinha em segundos.", EN: "The first is {sample}; the payments service's log (\"sale set aside\") and `baixa prove` name all and say what is wrong. Repair the column facts (docs/runbook.md); the sale goes on by itself within seconds."}},
	"token_not_messaged": {problem,
		wording.Sentence{PT: "{n:sales} ({amount:money}) com link criado há mais de 2 minutos e sem mensagem enviada ao comprador.", EN: "{n:sales} ({amount:money}) with a link for more than 2 minutes and no message sent to the buyer."},
		wording.Sentence{PT: "Veja por quê: `baixa explain {sample}`. Confira o serviço de mensagens e o token do bot.", EN: "See why: `baixa explain {sample}`. Check the notifier service and the bot's token."}},
	"webhooks_silent": {warning,
		wording.Sentence{PT: "Os webhooks de {provider:provider} (conta {account}) pararam[ desde {since:time}]: as últimas {n:sales} pagas vieram só pelas consultas, que ficaram mais frequentes.", EN: "The webhooks of {provider:provider} (account {account}) have stopped[ since {since:time}]: the last {n:sales} that were paid came by looks alone, which are more frequent now."},
		wording.Sentence{PT: "Nada se perde. Confira o endereço de webhooks no painel do provedor; quando voltarem, tudo se ajusta sozinho.", EN: "Nothing is lost. Check the webhook address in the provider's panel; when they return, everything adjusts by itself."}},
	"webhooks_doubted": {warning,
		wording.Sentence{PT: "Webhooks de {provider:provider} (conta {account}) disseram “pago” para {lies:sales} que o provedor nega; valem uma consulta e nada mais.", EN: "Webhooks of {provider:provider} (account {account}) called {lies:sales} paid which the provider denies; they earn one look and no more."},
		wording.Sentence{PT: "Alguém pode estar forjando webhooks: nenhum vale como prova e nada foi entregue por eles. Troque o endereço de webhooks da conta.", EN: "Somebody may be forging webhooks: none counts as proof and nothing was delivered for them. Change the account's webhook address."}},
	"in_review": {warning,
		wording.Sentence{PT: "{n:sales} à espera de uma decisão; {amount:money} em jogo.", EN: "{n:sales} waiting for a decision; {amount:money} at risk."},
		wording.Sentence{PT: "Liste-as (GET /v1/payments?stuck=true), leia cada uma com `baixa explain` e decida (POST /v1/payments/…:review).", EN: "List them (GET /v1/payments?stuck=true), read each with `baixa explain` and decide (POST /v1/payments/…:review)."}},
	"service_away": {problem,
		wording.Sentence{PT: "O serviço {service} não responde.", EN: "The {service} service does not answer."},
		wording.Sentence{PT: "Veja se o processo `baixa {service}` está de pé e se o endereço dele está certo. Nada se perde: o trabalho espera por ele.", EN: "See whether the process `baixa {service}` is up and its address right. Nothing is lost: the work waits for it."}},
	"effects_failing": {problem,
		wording.Sentence{PT: "{effect:effect}: falhou mais de 3 vezes para {n:sales}[ ({error})].", EN: "{effect:effect}: failed more than 3 times for {n:sales}[ ({error})]."},
		wording.Sentence{PT: "Confira os serviços de entrega e de mensagens e o registro deles (log); depois o trabalho continua sozinho.", EN: "Check the delivery and notifier services and their logs; the work then goes on by itself."}},
	"inbox_unread": {problem,
		wording.Sentence{PT: "{n:webhooks} sem leitura há mais de {late:duration}; o que chegou está guardado.", EN: "{n:webhooks} not read for more than {late:duration}; what came is stored."},
		wording.Sentence{PT: "Quem lê webhooks é o serviço gateways: veja se ele está de pé. As consultas continuam mesmo sem eles.", EN: "It is the gateways service that reads webhooks: see whether it is up. The looks go on even without them."}},
	"work_stopped": {problem,
		wording.Sentence{PT: "O trabalho “{work}” tem o que fazer e não roda[ há {ago:duration}].", EN: "The work “{work}” has something to do and does not run[ for {ago:duration}]."},
		wording.Sentence{PT: "Reinicie o serviço payments e veja o registro dele (log): nada se perde, tudo continua de onde parou.", EN: "Restart the payments service and see its log: nothing is lost, everything goes on from where it stopped."}},
	"looks_overdue": {problem,
		wording.Sentence{PT: "{provider:provider}: {n:sales} sem a consulta que está devida há mais de {late:duration}.", EN: "{provider:provider}: {n:sales} without the look that is due for more than {late:duration}."},
		wording.Sentence{PT: "Veja abaixo o limite de consultas e a situação das contas; se estiverem bem, veja se o serviço gateways está lento.", EN: "See the accounts' budgets and state below; if they are well, see whether the gateways service is slow."}},
	"provider_unanswered": {warning,
		wording.Sentence{PT: "{provider:provider}: {n:sales} sem resposta em três ou mais consultas seguidas.", EN: "{provider:provider}: {n:sales} without an answer in three or more looks in a row."},
		wording.Sentence{PT: "Veja a resposta com `baixa explain`. Se o provedor estiver fora do ar, espere: as consultas continuam, mais espaçadas, e nada se perde.", EN: "See the answer with `baixa explain`. If the provider is down, wait: the looks go on, further apart, and nothing is lost."}},
	"webhooks_not_understood": {warning,
		wording.Sentence{PT: "{provider:provider}: {n:webhooks} em 24 h que não entendemos.", EN: "{provider:provider}: {n:webhooks} in 24 h that we do not understand."},
		wording.Sentence{PT: "Confira se a URL de cada provedor aponta para o caminho dele. As vendas se resolvem pelas consultas.", EN: "Check that each provider's URL has its own path. The sales settle by the looks."}},
	"webhooks_refused": {warning,
		wording.Sentence{PT: "{provider:provider}: {n:webhooks} em 24 h sem o segredo que a conta exige.", EN: "{provider:provider}: {n:webhooks} in 24 h without the secret that the account demands."},
		wording.Sentence{PT: "Se são do provedor, confira o cabeçalho e o segredo cadastrados na conta; se não, alguém tenta forjar avisos, sem efeito.", EN: "If they are the provider's, check the header and secret on the account; if not, somebody tries to forge notices, without effect."}},
	"webhooks_parked": {info,
		wording.Sentence{PT: "{provider:provider}: {n:webhooks} em 24 h sobre cobranças que nenhuma venda daqui tem; ficam guardados e valem quando a venda aparecer.", EN: "{provider:provider}: {n:webhooks} in 24 h about charges that no sale here has; they are kept and count when the sale appears."},
		wording.Sentence{PT: "Se forem vendas suas, registre-as (POST /v1/payments:register ou `baixa import`).", EN: "If they are sales of yours, register them (POST /v1/payments:register or `baixa import`)."}},
	"webhooks_never": {warning,
		wording.Sentence{PT: "{provider:provider}: {polls:looks} e nenhum webhook, nunca. As vendas se resolvem pelas consultas, só que mais devagar.", EN: "{provider:provider}: {polls:looks} and never a webhook. The sales settle by the looks, only slower."},
		wording.Sentence{PT: "Configure no painel do provedor a URL {url}", EN: "Configure this URL with the provider: {url}"}},
	"webhooks_stopped": {warning,
		wording.Sentence{PT: "{provider:provider}: {polls:looks} e nenhum webhook há mais de 24 h; o último veio em {last:time}.", EN: "{provider:provider}: {polls:looks} and no webhook for more than 24 h; the last came at {last:time}."},
		wording.Sentence{PT: "Confira no painel do provedor se a URL ainda é {url}", EN: "Check with the provider that the URL still is {url}"}},
	"credential_refused": {problem,
		wording.Sentence{PT: "{provider:provider}, conta “{label}”: o provedor recusa as credenciais; nenhuma venda dela pode ser conferida.", EN: "{provider:provider}, account “{label}”: the provider refuses the credentials; none of its sales can be checked."},
		wording.Sentence{PT: "Cadastre credenciais novas (POST /v1/accounts) e confirme com POST /v1/accounts/{account}:verify; as vendas se resolvem em seguida.", EN: "Put new credentials (POST /v1/accounts) and confirm with POST /v1/accounts/{account}:verify; the sales settle right after."}},
	"breaker_open": {problem,
		wording.Sentence{PT: "{provider:provider}, conta “{label}”: o provedor falhou tanto que as consultas estão suspensas por instantes.", EN: "{provider:provider}, account “{label}”: the provider failed so often that the looks are suspended for a moment."},
		wording.Sentence{PT: "Veja se o provedor está fora do ar. Ele é testado de novo sozinho e as vendas se resolvem quando voltar.", EN: "See whether the provider is down. It is tried again by itself, and the sales settle when it is back."}},
	"budget_exhausted": {warning,
		wording.Sentence{PT: "{provider:provider}, conta “{label}”: o limite de consultas acabou neste minuto ({calls} de {budget}); as vendas esperam a vez.", EN: "{provider:provider}, account “{label}”: the budget of calls is used up in this minute ({calls} of {budget}); the sales wait for their turn."},
		wording.Sentence{PT: "Passa sozinho. Se durar, peça ao provedor um limite maior, ajuste calls_per_minute e configure o webhook, que poupa consultas.", EN: "It passes by itself. If it lasts, ask the provider for more, adjust calls_per_minute and configure the webhook, which saves looks."}},
	"shadow_differs": {warning,
		wording.Sentence{PT: "{provider:provider}, conta “{label}”: a versão {version}, em teste, leu de outro modo {n} de {polls:looks}. Só a primeira versão decide.", EN: "{provider:provider}, account “{label}”: version {version}, on trial, read {n} of {polls:looks} otherwise. Only the first version decides."},
		wording.Sentence{PT: "Veja campo por campo em GET /v1/accounts/{account}/shadow antes de trocar de versão.", EN: "See them field by field at GET /v1/accounts/{account}/shadow before you change versions."}},
	"messages_undeliverable": {warning,
		wording.Sentence{PT: "{n:sales} das últimas 24 h: o dinheiro chegou e a mensagem ao comprador não chega.", EN: "{n:sales} of the last 24 h: paid, and the buyer does not get the message."},
		wording.Sentence{PT: "Liste-as (GET /v1/payments?stuck=true), veja o motivo com `baixa explain` e passe o acesso por outro meio.", EN: "List them (GET /v1/payments?stuck=true), see why with `baixa explain` and pass the access on in another way."}},
	"messages_unsure": {warning,
		wording.Sentence{PT: "{n:messages} das últimas 24 h que podem ter chegado ou não; não são repetidas sozinhas.", EN: "{n:messages} of the last 24 h that may or may not have arrived; they are not repeated by themselves."},
		wording.Sentence{PT: "Pergunte aos compradores: liste as vendas (GET /v1/payments?stuck=true).", EN: "Ask the buyers: list the sales (GET /v1/payments?stuck=true)."}},
	"bot_refused": {problem,
		wording.Sentence{PT: "O Telegram não aceita o token do bot {bot}: nenhum comprador dele recebe mensagem.", EN: "Telegram does not accept the token of bot {bot}: none of its buyers gets a message."},
		wording.Sentence{PT: "Gere um token no BotFather e cadastre-o (POST /v1/bots/{bot}/telegram); o que espera é enviado em seguida.", EN: "Make a token at BotFather and put it (POST /v1/bots/{bot}/telegram); what waits is sent right after."}},
	"accesses_in_error": {warning,
		wording.Sentence{PT: "Acessos a grupos do Telegram em erro, de compradores que pagaram: {n}.", EN: "Accesses to Telegram groups in error, of buyers who have paid: {n}."},
		wording.Sentence{PT: "Liste-os com `baixa access list --state error`; o que fazer: `baixa explain {sample}`.", EN: "List them with `baixa access list --state error`; what to do: `baixa explain {sample}`."}},
	"endpoints_disabled": {warning,
		wording.Sentence{PT: "Endereços de webhook do dono desativados: {n}. Os eventos não chegam mais ali.", EN: "The owner's webhook endpoints that are disabled: {n}. Events do not arrive there any more."},
		wording.Sentence{PT: "Veja-os com `baixa endpoint list`; reative com `baixa endpoint put --id … <url>`, reenvie com `baixa endpoint redeliver … --since 72h`, ou apague com `baixa endpoint delete …`.", EN: "See them with `baixa endpoint list`; enable with `baixa endpoint put --id … <url>`, send again with `baixa endpoint redeliver … --since 72h`, or forget with `baixa endpoint delete …`."}},
	"endpoints_failing": {warning,
		wording.Sentence{PT: "Endereços de webhook do dono que falham há mais de 15 minutos: {n}. Os eventos esperam e são reenviados por dias.", EN: "The owner's webhook endpoints that have failed for more than 15 minutes: {n}. The events wait and are sent again for days."},
		wording.Sentence{PT: "Veja as respostas com `baixa endpoint attempts … --failed` e conserte o sistema que recebe.", EN: "See the answers with `baixa endpoint attempts … --failed` and mend the system that receives."}},
	"messages_waiting": {problem,
		wording.Sentence{PT: "{n:messages} na fila do Telegram; a mais antiga espera há {age:duration}.", EN: "{n:messages} queued for Telegram; the oldest waits for {age:duration}."},
		wording.Sentence{PT: "Veja se o serviço notifier está de pé, se alcança o Telegram e se algum bot foi recusado.", EN: "See whether the notifier service is up, reaches Telegram, and whether a bot was refused."}},
}
