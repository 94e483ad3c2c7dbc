package registry

//go:generate go test . -run TestMarkdown -write

const preamble = `# Providers

<!-- Written by "go generate ./services/gateways/internal/provider/registry" from the adapters' own capabilities. Do not edit. -->

What this system knows about each provider, as its adapter declares it. The same data drives the mapping, ListProviders
and this page, and a test keeps the page equal to them.

**Confidence.** *high*: the vendor's own text, or three independent integrations agree. *medium*: one or two.
*low*: a single outlier, an inference, or a choice of ours. None of the providers signs its webhooks: a webhook makes us
look, and only a status call settles a sale. A word that is not listed here is *unknown*: it is kept, counted and changes
nothing. Words are compared whole, trimmed, in any case, with "-" and space as "_".

`

const epilogue = `## Another provider without Go

A provider of the plain kind is one YAML file ([adding-a-provider.md](adding-a-provider.md) shows how): see
[aguia.yaml](../services/gateways/internal/provider/declarative/shipped/aguia.yaml) and
[babylon.yaml](../services/gateways/internal/provider/declarative/shipped/babylon.yaml), which are Águia Pags and Babylon above.
A file with an unknown key, a word of two meanings or a path that cannot work is refused with file, line and field.

| key | what it says |
|---|---|
| name, aliases, title | one lower-case word for URLs and rows; other spellings of it; the brand |
| version | makes the file a second reading of the provider of that name, which accounts may have as their shadow |
| base_url, sandbox | https, without user, query or fragment |
| auth | kind query, header, basic or bearer; name of the parameter or header; credentials used: one, or two for basic |
| headers | constant headers, such as a User-Agent that is demanded |
| identifiers | kind hash, id or reference, in the order in which they are tried; path with one place, "/transactions/{id}" |
| unit, lower_case_ids | centavos or reais; whether ids come in either case |
| answer | lists of dotted paths, the first one present wins: wrappers, loose_wrappers, status, id, outer_id, hash, reference, amount, created_at, paid_at, end_to_end, expires_at, reason, currency, producer, offer, product |
| webhook | trust none, header or body_token; header; formats; attempts; panel: the address is set in the provider's panel; fields: what differs from answer, and event, test_events, token |
| words, webhook_words | status → confidence → words |
| envelope_words, error_words | words about the call, not the payment; words that say that it went wrong |
| final, unsafe, recheck | statuses never left; words that a second look must confirm, and after how long |
| poll, free_reads | min_interval for one sale, cadence, calls_per_minute of an account, confidence; whether a slow look may be repeated beside itself |
| verify | path of a harmless call; a place in it, "{none}", is filled with a charge that does not exist |
| create | path; body with $amount $reference $title $description $webhook_url $client_ip $expires_in_days $tracking $customer.name .email .phone .local_phone .document .document_type .document_TYPE $setting.NAME; answer; min_amount and max_amount in centavos; customer_fields; expires_in_days min and max |
| credentials, settings | name, required, pt, en |
| notes | text, confidence, open: sources contradict each other |

What has no value is left out of a creation's body, together with a mapping of nothing else: nothing about a buyer is invented.
`
