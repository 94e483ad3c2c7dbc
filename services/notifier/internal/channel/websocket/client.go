package websocket

import (
	_ "embed"
	"net/http"
)

// ClientPath is where the client is served.
const ClientPath = "/ws/client.js"

//go:embed client.js
var clientJS []byte

// client serves the JavaScript client, which pages of any origin may import.
func (h *Hub) client(w http.ResponseWriter, _ *http.Request) {
	header := w.Header()
	header.Set("Content-Type", "text/javascript; charset=utf-8")
	header.Set("Cache-Control", "public, max-age=3600")
	header.Set("Access-Control-Allow-Origin", "*")
	header.Set("Cross-Origin-Resource-Policy", "cross-origin")
	header.Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(clientJS) // the peer may be gone
}
