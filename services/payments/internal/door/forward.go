package door

import (
	"context"
	"errors"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	deliveryv1 "github.com/baixapay/baixa/gen/baixa/delivery/v1"
	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
	"github.com/baixapay/baixa/internal/auth"
	"github.com/baixapay/baixa/internal/rpc"
	"github.com/baixapay/baixa/internal/rpcerr"
)

// access says which callers a leaf's method is passed on for.
type access int

const (
	nobody   access = iota
	anyKey          // merchants, for their own rows, and operators
	operator        // operators only
)

// passed are the leaves' methods that API keys reach. Whatever is not here is answered as if it did not exist: the methods by
// which payments makes charges, links and messages move money and must follow from its ledger alone.
var passed = map[string]access{
	gatewaysv1.AccountsService_PutAccount_FullMethodName:            anyKey,
	gatewaysv1.AccountsService_VerifyAccount_FullMethodName:         anyKey,
	gatewaysv1.AccountsService_ListAccounts_FullMethodName:          anyKey,
	gatewaysv1.AccountsService_ListShadowDifferences_FullMethodName: anyKey,
	gatewaysv1.GatewaysService_ListProviders_FullMethodName:         anyKey,
	gatewaysv1.GatewaysService_ListTransactions_FullMethodName:      anyKey,
	gatewaysv1.GatewaysService_GetPaymentStatus_FullMethodName:      operator,
	gatewaysv1.GatewaysService_ParseWebhook_FullMethodName:          operator,
	deliveryv1.PixelsService_PutPixel_FullMethodName:                anyKey,
	deliveryv1.PixelsService_ListPixels_FullMethodName:              anyKey,
	deliveryv1.DeliveryService_GetDelivery_FullMethodName:           anyKey,
	deliveryv1.LinksService_PutLinkPolicy_FullMethodName:            anyKey,
	deliveryv1.LinksService_ListLinkPolicies_FullMethodName:         anyKey,
	deliveryv1.LinksService_PutFileKey_FullMethodName:               anyKey,
	deliveryv1.LinksService_ListFileKeys_FullMethodName:             anyKey,
	notifierv1.NotifierService_PutBot_FullMethodName:                anyKey,
	notifierv1.NotifierService_CreateStreamTicket_FullMethodName:    anyKey,
	notifierv1.NotifierService_GetNotifications_FullMethodName:      anyKey,
	notifierv1.NotifierService_GetHealth_FullMethodName:             operator,
	notifierv1.TemplatesService_PutTemplate_FullMethodName:          anyKey,
	notifierv1.TemplatesService_ListTemplates_FullMethodName:        anyKey,
	notifierv1.TemplatesService_PreviewTemplate_FullMethodName:      anyKey,
	notifierv1.EndpointsService_PutEndpoint_FullMethodName:          anyKey,
	notifierv1.EndpointsService_ListEndpoints_FullMethodName:        anyKey,
	notifierv1.EndpointsService_RotateSecret_FullMethodName:         anyKey,
	notifierv1.EndpointsService_DeleteEndpoint_FullMethodName:       anyKey,
	notifierv1.EndpointsService_ListAttempts_FullMethodName:         anyKey,
	notifierv1.EndpointsService_Redeliver_FullMethodName:            anyKey,
	notifierv1.EndpointsService_SendTestEvent_FullMethodName:        anyKey,
	notifierv1.AccessService_GetAccess_FullMethodName:               anyKey,
	notifierv1.AccessService_ListAccesses_FullMethodName:            anyKey,
	notifierv1.AccessService_RevokeAccess_FullMethodName:            anyKey,
	notifierv1.AccessService_RestoreAccess_FullMethodName:           anyKey,
	notifierv1.AccessService_ExtendAccess_FullMethodName:            anyKey,
}

// Leaves are the connections to the leaf services. They must sign the caller in the context of each call, as
// auth.Signer.UnaryClient and StreamClient do: the same connections that the workers use.
type Leaves struct{ Gateways, Delivery, Notifier *grpc.ClientConn }

// Forward is the handler for rpc.ServerConfig.Unknown: it passes the listed methods of the leaves on for the caller that
// StreamServer, which must stand before it, has put into the context. Nothing of the caller's own metadata reaches a leaf.
// Errors: UNIMPLEMENTED for what is not listed, PERMISSION_DENIED for a merchant's key on an operator's method, and the leaf's.
func (d *Door) Forward(l Leaves) (grpc.StreamHandler, error) {
	if l.Gateways == nil || l.Delivery == nil || l.Notifier == nil {
		return nil, errors.New("door: connections to Gateways, Delivery and Notifier are required")
	}
	return rpc.Forward(rpc.ForwardConfig{
		Conns: map[string]*grpc.ClientConn{
			gatewaysv1.AccountsService_ServiceDesc.ServiceName:  l.Gateways,
			gatewaysv1.GatewaysService_ServiceDesc.ServiceName:  l.Gateways,
			deliveryv1.PixelsService_ServiceDesc.ServiceName:    l.Delivery,
			deliveryv1.DeliveryService_ServiceDesc.ServiceName:  l.Delivery,
			deliveryv1.LinksService_ServiceDesc.ServiceName:     l.Delivery,
			notifierv1.NotifierService_ServiceDesc.ServiceName:  l.Notifier,
			notifierv1.TemplatesService_ServiceDesc.ServiceName: l.Notifier,
			notifierv1.EndpointsService_ServiceDesc.ServiceName: l.Notifier,
			notifierv1.AccessService_ServiceDesc.ServiceName:    l.Notifier,
		},
		Director: direct,
	})
}

func direct(ctx context.Context, fullMethod string) (context.Context, error) {
	who := auth.From(ctx)
	if !who.Known() { // a call without a caller would be signed as the service's own, which is an operator
		return nil, refusal()
	}
	switch passed[fullMethod] {
	case anyKey:
	case operator:
		if !who.Operator {
			return nil, rpcerr.Denied("this method needs an operator's API key")
		}
	default:
		return nil, status.Errorf(codes.Unimplemented, "unknown method %s", fullMethod)
	}
	return metadata.NewOutgoingContext(ctx, nil), nil
}
