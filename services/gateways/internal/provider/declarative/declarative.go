// Package declarative makes adapters of providers of the plain kind from one YAML file each: where to ask, how to
// authenticate, where in an answer status, names and amounts stand, and what the provider's words mean. The two in
// shipped/ come with this system; docs/adding-a-provider.md says how to write another.
//
// It refuses to run anything that a file says: paths and words are data, there are no expressions. It refuses a file
// with an unknown key, a word of two meanings or a path that cannot work, naming line and field, instead of guessing.
package declarative

import (
	"context"
	"encoding/base64"
	"errors"
	"maps"
	"net/http"

	"github.com/baixapay/baixa/services/gateways/internal/provider"
)

// Adapter is a provider that a file describes. Make it with Load.
type Adapter struct {
	client       *provider.Client
	capabilities provider.Capabilities
	auth         authSpec
	headers      map[string]string
	ask          map[provider.IDKind]string
	verify       string
	create       *creation
	answer       provider.Shape
	hook         provider.Shape
}

type creation struct {
	path   string
	body   template
	answer provider.Shape
	days   daysSpec
}

var _ provider.Adapter = (*Adapter)(nil)

// Load reads a file and makes its adapter. file is the name that mistakes are reported under. The error joins every
// mistake of the file as an *Error each, in the order of lines.
func Load(deps provider.Deps, file string, text []byte) (*Adapter, error) {
	if deps.Client == nil {
		return nil, errors.New("load " + file + ": no client")
	}
	src, s, err := parse(file, text)
	if err != nil {
		return nil, err
	}
	a := src.adapter(s)
	if err := src.err(); err != nil {
		return nil, err
	}
	a.client = deps.Client
	return a, nil
}

// Name is the file's.
func (a *Adapter) Name() provider.Name { return a.capabilities.Name }

// Capabilities are the file's.
func (a *Adapter) Capabilities() provider.Capabilities { return a.capabilities }

// GetStatus asks the path of each identifier in the file's order.
func (a *Adapter) GetStatus(ctx context.Context, account provider.Account, ref provider.Ref) (provider.Reading, error) {
	return provider.TryEach(ctx, a.capabilities, ref, func(ctx context.Context, kind provider.IDKind, ref provider.Ref) (provider.Reading, error) {
		response, err := a.do(ctx, account, provider.Request{Op: provider.OpStatus, Path: a.ask[kind], Args: []string{ref.Get(kind)}})
		if err != nil {
			return provider.Reading{}, err
		}
		return a.answer.Read(response, kind, ref)
	})
}

// ParseWebhook reads JSON and forms by their content.
func (a *Adapter) ParseWebhook(webhook provider.Webhook) ([]provider.Hint, error) {
	return a.hook.Hints(a.capabilities.Name, webhook)
}

// VerifyAccount makes the file's harmless call; KindInvalidRequest when it names none.
func (a *Adapter) VerifyAccount(ctx context.Context, account provider.Account) (provider.AccountInfo, error) {
	if a.verify == "" {
		return provider.AccountInfo{}, a.cannot(provider.OpVerify, "no harmless call is known")
	}
	request := provider.Request{Op: provider.OpVerify, Path: a.verify}
	if countPlaces(a.verify) == 1 {
		request.Args = []string{provider.NoCharge}
	}
	if err := a.prepare(account, &request); err != nil {
		return provider.AccountInfo{}, err
	}
	return a.client.Probe(ctx, request)
}

// CreateCharge sends the file's body with its placeholders filled.
func (a *Adapter) CreateCharge(ctx context.Context, account provider.Account, request provider.ChargeRequest) (provider.Charge, error) {
	if a.create == nil {
		return provider.Charge{}, a.cannot(provider.OpCreate, "charges cannot be created here")
	}
	if err := request.Check(a.capabilities); err != nil {
		return provider.Charge{}, err
	}
	for _, setting := range a.capabilities.Settings {
		if setting.Required && account.Setting(setting.Name) == "" {
			return provider.Charge{}, a.cannot(provider.OpCreate, "account has no "+setting.Name)
		}
	}
	body, _ := a.create.body.fill(filling{request: request, account: account, unit: a.capabilities.Unit, days: a.create.days})
	response, err := a.do(ctx, account, provider.Request{Op: provider.OpCreate, Method: http.MethodPost, Path: a.create.path, Body: body})
	if err != nil {
		return provider.Charge{}, err
	}
	return a.create.answer.ReadCharge(response, request)
}

func (a *Adapter) cannot(op provider.Op, reason string) *provider.Error {
	return &provider.Error{Kind: provider.KindInvalidRequest, Provider: a.capabilities.Name, Op: op, Reason: reason}
}

func (a *Adapter) do(ctx context.Context, account provider.Account, request provider.Request) (*provider.Response, error) {
	if err := a.prepare(account, &request); err != nil {
		return nil, err
	}
	return a.client.Do(ctx, request)
}

// prepare adds provider, base URL and authentication.
func (a *Adapter) prepare(account provider.Account, request *provider.Request) error {
	secrets, err := account.Require(request.Op, a.capabilities.Name, a.auth.Credentials...)
	if err != nil {
		return err
	}
	request.Provider, request.Account, request.DefaultBase = a.capabilities.Name, account, a.capabilities.BaseURL
	request.Header = make(map[string]string, len(a.headers)+1)
	maps.Copy(request.Header, a.headers)
	switch a.auth.Kind {
	case "query":
		request.SecretQuery = map[string]provider.Secret{a.auth.Name: secrets[0]}
	case "header":
		request.Header[a.auth.Name] = secrets[0].Reveal()
	case "bearer":
		request.Header["Authorization"] = "Bearer " + secrets[0].Reveal()
	case "basic":
		pair := base64.StdEncoding.EncodeToString([]byte(secrets[0].Reveal() + ":" + secrets[1].Reveal()))
		request.Header["Authorization"] = "Basic " + pair
		request.Secrets = []provider.Secret{provider.NewSecret(pair)}
	}
	return nil
}
