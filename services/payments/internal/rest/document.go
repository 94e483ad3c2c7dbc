package rest

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/baixapay/baixa/gen/openapi"
)

//go:embed docs.html
var docsPage string

// document is the API's description: as OpenAPI for programs and as a page for people, both made once.
type document struct{ json, page []byte }

// newDocument completes the generated description with what the contracts cannot say: who may call, how errors look, and where
// webhooks go.
func newDocument(version string) (*document, error) {
	if version == "" {
		version = "development"
	}
	var doc map[string]any
	if err := json.Unmarshal([]byte(openapi.JSON()), &doc); err != nil {
		return nil, fmt.Errorf("read API description: %w", err)
	}
	paths, ok := doc["paths"].(map[string]any)
	definitions, also := doc["definitions"].(map[string]any)
	if !ok || !also {
		return nil, fmt.Errorf("read API description: paths or definitions are missing")
	}
	doc["info"] = map[string]any{"title": "Baixa", "version": version, "description": apiDescription}
	doc["securityDefinitions"] = map[string]any{"key": map[string]any{"type": "apiKey", "in": "header", "name": "Authorization",
		"description": "Bearer bxk_…"}}
	doc["security"] = []any{map[string]any{"key": []any{}}}
	definitions["Problem"] = problemSchema()
	problem := map[string]any{"description": "What went wrong.", "schema": map[string]any{"$ref": "#/definitions/Problem"}}
	for _, operations := range paths {
		for _, operation := range operations.(map[string]any) {
			if responses, ok := operation.(map[string]any)["responses"].(map[string]any); ok {
				responses["default"] = problem
			}
		}
	}
	for n := 1; n <= 3; n++ {
		path, operation := webhookOperation(n, problem)
		paths[path] = map[string]any{"post": operation}
	}
	if tags, ok := doc["tags"].([]any); ok {
		doc["tags"] = append(tags, map[string]any{"name": pagesTag, "description": "Pages for buyers and visitors, without an API key."})
	}
	for path, operation := range pageOperations() {
		paths[path] = map[string]any{"get": operation}
	}
	doc["tags"] = usedTags(doc["tags"], paths)

	out := &document{}
	var err error
	if out.json, err = json.Marshal(doc); err != nil {
		return nil, fmt.Errorf("write API description: %w", err)
	}
	if out.page, err = render(out.json); err != nil {
		return nil, fmt.Errorf("write API page: %w", err)
	}
	return out, nil
}

const apiDescription = "Settles PIX sales. Sums are whole centavos, written as texts; times are UTC in RFC 3339. In answers every scalar, list " +
	"and map is there, also when it is empty; an object that is not set is absent. Unknown fields and query parameters are refused by name."

func problemSchema() map[string]any {
	text := func(about string) map[string]any { return map[string]any{"type": "string", "description": about} }
	return map[string]any{"type": "object", "description": "Problem is the body of every answer that is not 2xx.", "properties": map[string]any{
		"code":                text("The gRPC code's name, such as INVALID_ARGUMENT."),
		"message":             text("For people."),
		"retry_after_seconds": map[string]any{"type": "integer", "description": "Set when coming again helps; the same as Retry-After."},
		"trace_id":            text("Finds the request in logs and traces."),
		"fields": map[string]any{"type": "array", "description": "What is wrong with the request.", "items": map[string]any{"type": "object",
			"properties": map[string]any{"field": text("Such as amount.centavos."), "expected": text("What was expected there.")}}},
	}}
}

// webhookOperation describes the URL with its first n parts.
func webhookOperation(n int, problem any) (path string, operation map[string]any) {
	path = webhookPath
	parameters := []any{}
	for i, name := range []string{"provider", "account_key", "sale_key"}[:n] {
		path += "/{" + name + "}"
		about := []string{"Its name or an alias.", "As the account shows it.", "As the sale's charge was told."}[i]
		parameters = append(parameters, map[string]any{"name": name, "in": "path", "required": true, "type": "string", "description": about})
	}
	parameters = append(parameters, map[string]any{"name": "body", "in": "body", "required": true, "description": "The webhook, 1 byte to 1 MiB, of any type.",
		"schema": map[string]any{"type": "string", "format": "binary"}})
	return path, map[string]any{
		"summary": "ReceiveWebhook takes what a provider posts and answers when it is durable. A copy is answered like the first, and so is a " +
			"lie: what is posted is never believed, the provider is asked. 503 with Retry-After: nothing is known to be stored, send again.",
		"operationId": "WebhookService_ReceiveWebhook_" + strconv.Itoa(n), "tags": []any{"WebhookService"}, "parameters": parameters,
		"consumes": []any{"application/json", "application/x-www-form-urlencoded", "application/octet-stream"},
		"security": []any{},
		"responses": map[string]any{"default": problem, "200": map[string]any{"description": "Stored.", "schema": map[string]any{"type": "object",
			"properties": map[string]any{"received": map[string]any{"type": "boolean"}, "id": map[string]any{"type": "string"},
				"duplicate": map[string]any{"type": "boolean", "description": "Whether the same bytes were there already."}}}}},
	}
}

const pagesTag = "Pages"

// pageOperations describes what people open.
func pageOperations() map[string]any {
	page := func(id, about, parameter, parameterAbout, produces string, responses map[string]any) map[string]any {
		responses["default"] = map[string]any{"description": "A page for people that says what went wrong."}
		return map[string]any{"summary": about, "operationId": id, "tags": []any{pagesTag}, "security": []any{}, "produces": []any{produces},
			"parameters": []any{map[string]any{"name": parameter, "in": "path", "required": true, "type": "string", "description": parameterAbout}},
			"responses":  responses}
	}
	answer := func(about string) map[string]any { return map[string]any{"description": about} }
	return map[string]any{
		"/pay/{key}": page("Pages_Pay", "The buyer's checkout page, whose whole address is a payment's pay_url: the code until it is paid, then the way to "+
			"what was bought. An open page makes the sale due within the provider's rule.", "key", "The last part of pay_url.", "text/html",
			map[string]any{"200": answer("The page."), "404": answer("Whatever names no sale."), "429": answer("Too many wrong keys from one address.")}),
		"/pay/{key}/events": page("Pages_PayEvents", "What an open checkout page listens to: server-sent events `change`, whose id is a version, resumed by "+
			"Last-Event-ID or `since`. They hold nothing of the sale: read the page again.", "key", "The last part of pay_url.", "text/event-stream",
			map[string]any{"200": answer("The stream; open it again when it ends."), "404": answer("Whatever names no sale."), "503": answer("Too many pages wait; ask the page now and then.")}),
		"/go/{slug}": page("Pages_Go", "A link for ads: keeps UTMs, fbclid, cookies, address, agent and time of the click and forwards to the bot with a token "+
			"(?start=), also set as the cookie baixa_click. Programs, and everyone while clicks cannot be kept, are forwarded without one.",
			"slug", "Of the click link.", "text/html",
			map[string]any{"302": answer("To https://t.me/{bot}."), "404": answer("No such link."), "503": answer("The link is not known and the database is away.")}),
	}
}

// usedTags drops services of which nothing is served here.
func usedTags(tags any, paths map[string]any) []any {
	used := map[string]bool{}
	for _, operations := range paths {
		for _, operation := range operations.(map[string]any) {
			list, _ := operation.(map[string]any)["tags"].([]any)
			for _, tag := range list {
				used[fmt.Sprint(tag)] = true
			}
		}
	}
	all, _ := tags.([]any)
	var out []any
	for _, tag := range all {
		if t, ok := tag.(map[string]any); ok && used[fmt.Sprint(t["name"])] {
			out = append(out, tag)
		}
	}
	return out
}

func (d *document) serveJSON(w http.ResponseWriter, _ *http.Request) {
	d.serve(w, "application/json; charset=utf-8", d.json)
}

func (d *document) servePage(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	w.Header().Set("Referrer-Policy", "no-referrer")
	d.serve(w, "text/html; charset=utf-8", d.page)
}

func (d *document) serve(w http.ResponseWriter, contentType string, raw []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("Content-Length", strconv.Itoa(len(raw)))
	_, _ = w.Write(raw) // the client may be gone
}

// render makes the page of the description.
func render(raw []byte) ([]byte, error) {
	var v apiView
	if err := json.Unmarshal(raw, &v); err != nil {
		return nil, err
	}
	page, err := template.New("docs").Funcs(template.FuncMap{
		"ref":   func(ref string) string { return strings.TrimPrefix(ref, "#/definitions/") },
		"upper": strings.ToUpper,
		"id":    url.PathEscape,
	}).Parse(docsPage)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := page.Execute(&out, v.sections()); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
