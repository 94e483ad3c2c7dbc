package door

import (
	"context"
	"net/netip"

	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
)

// ClientAddrKey is the metadata key under which this process's own HTTP side names the address that it serves. It is believed
// only over the in-memory connection, which nobody else can open.
const ClientAddrKey = "baixa-client-addr"

// clientAddr is whom a call is made for: the address that our HTTP side names, else the peer's. The zero Addr stands for all
// who have none.
func clientAddr(ctx context.Context) netip.Addr {
	p, ok := peer.FromContext(ctx)
	if !ok || p.Addr == nil {
		return netip.Addr{}
	}
	if inProcess(p) {
		if named := metadata.ValueFromIncomingContext(ctx, ClientAddrKey); len(named) == 1 {
			a, _ := netip.ParseAddr(named[0])
			return a.Unmap().WithZone("")
		}
		return netip.Addr{}
	}
	a, err := netip.ParseAddrPort(p.Addr.String())
	if err != nil {
		return netip.Addr{}
	}
	return a.Addr().Unmap().WithZone("")
}

func inProcess(p *peer.Peer) bool {
	network := p.Addr.Network()
	return network == "memory" || network == "bufconn"
}
