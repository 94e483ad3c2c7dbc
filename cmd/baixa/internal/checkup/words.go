package checkup

// words are the page's own words in one language; findings come in the language that was asked for.
type words struct {
	healthy, warned, unhealthy, zone, nothing, yes, no    string
	sales, providers, schedules, accounts                 string
	salesHead, providersHead, schedulesHead, accountsHead []string
	status, message, account                              map[string]string
}

var portuguese = words{
	healthy: "Tudo em ordem.", warned: "Nenhum problema; há avisos.", unhealthy: "Há problemas.", zone: "horário de Brasília", nothing: "nada", yes: "sim", no: "não",
	sales: "Últimas dez vendas", providers: "Provedores, vendas registradas nas últimas 24 h", schedules: "Trabalho que roda sozinho", accounts: "Contas",
	salesHead:     []string{"venda", "seu id", "provedor", "valor", "situação", "criada", "paga", "link", "mensagem"},
	providersHead: []string{"provedor", "vendas", "pagas", "aguardando", "em revisão", "com link", "com mensagem", "webhooks", "consultas", "sem resposta", "último webhook"},
	schedulesHead: []string{"trabalho", "ritmo", "rodou", "próximo", "agora", "depois", "com falha"},
	accountsHead:  []string{"conta", "provedor", "nome", "situação", "disjuntor", "consultas/min", "webhooks"},
	status: map[string]string{"pending": "aguardando", "paid": "paga", "failed": "recusada", "expired": "expirada", "cancelled": "cancelada",
		"refunded": "estornada", "charged_back": "chargeback", "disputed": "em disputa", "needs_review": "em revisão"},
	message: map[string]string{"": "-", "queued": "na fila", "sent": "enviada", "undeliverable": "não chega", "maybe_sent": "talvez"},
	account: map[string]string{"active": "ativa", "credential_refused": "credenciais recusadas"},
}

var english = words{
	healthy: "All is well.", warned: "No problem; there are warnings.", unhealthy: "There are problems.", zone: "Brasília time", nothing: "nothing", yes: "yes", no: "no",
	sales: "Last ten sales", providers: "Providers, sales recorded in the last 24 h", schedules: "Work that runs by itself", accounts: "Accounts",
	salesHead:     []string{"sale", "your id", "provider", "amount", "state", "created", "paid", "link", "message"},
	providersHead: []string{"provider", "sales", "paid", "waiting", "review", "with link", "messaged", "webhooks", "looks", "unanswered", "last webhook"},
	schedulesHead: []string{"work", "cadence", "ran", "next", "due", "later", "failing"},
	accountsHead:  []string{"account", "provider", "name", "state", "breaker", "looks/min", "webhooks"},
	status: map[string]string{"pending": "waiting", "paid": "paid", "failed": "failed", "expired": "expired", "cancelled": "cancelled",
		"refunded": "refunded", "charged_back": "charged back", "disputed": "disputed", "needs_review": "review"},
	message: map[string]string{"": "-", "queued": "queued", "sent": "sent", "undeliverable": "undeliverable", "maybe_sent": "maybe sent"},
	account: map[string]string{"active": "active", "credential_refused": "credentials refused"},
}
