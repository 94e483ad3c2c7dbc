package rest

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	deliveryv1 "github.com/baixapay/baixa/gen/baixa/delivery/v1"
	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	"github.com/baixapay/baixa/internal/visitor"
	"github.com/baixapay/baixa/services/payments/internal/door"
)

// api translates /v1 between JSON and gRPC.
type api struct {
	mux    *runtime.ServeMux
	routes *routes
}

func newAPI(conn *grpc.ClientConn, clients visitor.Proxies) (*api, error) {
	table, err := newRoutes(paymentsv1.PaymentsService_ServiceDesc.ServiceName, paymentsv1.MerchantsService_ServiceDesc.ServiceName, paymentsv1.ClicksService_ServiceDesc.ServiceName,
		paymentsv1.PoliciesService_ServiceDesc.ServiceName, paymentsv1.ProofService_ServiceDesc.ServiceName, paymentsv1.InboxService_ServiceDesc.ServiceName,
		paymentsv1.AlertsService_ServiceDesc.ServiceName,
		gatewaysv1.AccountsService_ServiceDesc.ServiceName, gatewaysv1.GatewaysService_ServiceDesc.ServiceName,
		deliveryv1.PixelsService_ServiceDesc.ServiceName, deliveryv1.LinksService_ServiceDesc.ServiceName, notifierv1.NotifierService_ServiceDesc.ServiceName,
		notifierv1.TemplatesService_ServiceDesc.ServiceName,
		notifierv1.EndpointsService_ServiceDesc.ServiceName, notifierv1.AccessService_ServiceDesc.ServiceName)
	if err != nil {
		return nil, err
	}
	a := &api{routes: table}
	nothing := func(string) (string, bool) { return "", false }
	a.mux = runtime.NewServeMux(
		runtime.WithMarshalerOption(runtime.MIMEWildcard, newMarshaler()),
		// Authorization passes by itself. Nothing else that a client writes becomes metadata, and no metadata headers.
		runtime.WithIncomingHeaderMatcher(nothing), runtime.WithOutgoingHeaderMatcher(nothing), runtime.WithOutgoingTrailerMatcher(nothing),
		runtime.WithMetadata(func(_ context.Context, r *http.Request) metadata.MD {
			if addr := clients.Client(r); addr.IsValid() {
				return metadata.Pairs(door.ClientAddrKey, addr.String())
			}
			return nil
		}),
		runtime.WithErrorHandler(handleError), runtime.WithRoutingErrorHandler(a.handleRouting),
		runtime.WithMiddlewares(a.checkQuery),
		// A form post must not turn into a GET, nor a GET into anything.
		runtime.WithDisablePathLengthFallback(), runtime.WithDisableHTTPMethodOverride(),
		runtime.WithUnescapingMode(runtime.UnescapingModeAllExceptSlash),
		runtime.WithWriteContentLength())
	for _, register := range []func(context.Context, *runtime.ServeMux, *grpc.ClientConn) error{
		paymentsv1.RegisterPaymentsServiceHandler, paymentsv1.RegisterMerchantsServiceHandler, gatewaysv1.RegisterAccountsServiceHandler,
		gatewaysv1.RegisterGatewaysServiceHandler, deliveryv1.RegisterPixelsServiceHandler, deliveryv1.RegisterLinksServiceHandler, notifierv1.RegisterNotifierServiceHandler,
		paymentsv1.RegisterClicksServiceHandler,
		paymentsv1.RegisterPoliciesServiceHandler, paymentsv1.RegisterProofServiceHandler, paymentsv1.RegisterInboxServiceHandler,
		paymentsv1.RegisterAlertsServiceHandler,
		notifierv1.RegisterTemplatesServiceHandler,
		notifierv1.RegisterEndpointsServiceHandler, notifierv1.RegisterAccessServiceHandler,
	} {
		if err := register(context.Background(), a.mux, conn); err != nil {
			return nil, fmt.Errorf("register routes: %w", err)
		}
	}
	return a, nil
}

// ServeHTTP reads the whole body first: what is too large is 413 and not a strange error of the decoder.
func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, err := readBody(w, r)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		refuseSize(w, r)
		return
	case err != nil:
		writeProblem(w, r, http.StatusBadRequest, problem{Code: "INVALID_ARGUMENT", Message: "the body did not arrive whole"})
		return
	}
	r = r.Clone(r.Context())
	r.Body = newBody(raw)
	w.Header().Set("Cache-Control", "no-store")
	a.mux.ServeHTTP(w, r)
}

// checkQuery refuses query parameters that the method does not have, which the gateway would ignore, and names the request's
// span after its route.
func (a *api) checkQuery(next runtime.HandlerFunc) runtime.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request, params map[string]string) {
		if pattern, ok := runtime.HTTPPattern(r.Context()); ok {
			if way, ok := a.routes.byPattern[r.Method+" "+pattern.String()]; ok {
				trace.SpanFromContext(r.Context()).SetName(r.Method + " " + way.path)
				if faults := way.checkQuery(r.URL.RawQuery, params); len(faults) > 0 {
					httpStatus, p := faultsOf(faults)
					writeProblem(w, r, httpStatus, p)
					return
				}
			}
		}
		next(w, r, params)
	}
}

// handleError writes what the service answered, or what is wrong with the body when it could not be read.
func handleError(_ context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, r *http.Request, err error) {
	if b, ok := r.Body.(*body); ok && len(b.faults) > 0 {
		err = b.faults.Err()
	}
	var own *runtime.HTTPStatusError
	if errors.As(err, &own) {
		writeProblem(w, r, own.HTTPStatus, problem{Code: "INVALID_ARGUMENT", Message: "the path is not well escaped"})
		return
	}
	httpStatus, p := problemOf(err)
	writeProblem(w, r, httpStatus, p)
}

func (a *api) handleRouting(_ context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, r *http.Request, httpStatus int) {
	switch httpStatus {
	case http.StatusMethodNotAllowed:
		refuseMethod(w, r, a.routes.allowed(r.URL.Path))
	case http.StatusBadRequest:
		writeProblem(w, r, httpStatus, problem{Code: "INVALID_ARGUMENT", Message: "the path is not well formed"})
	default:
		writeProblem(w, r, http.StatusNotFound, problem{Code: "NOT_FOUND", Message: "no such path; /docs lists what there is"})
	}
}
