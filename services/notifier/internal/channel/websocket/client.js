// Baixa's live events: comes back by itself, goes on where it stopped, shows each event once. The protocol is in docs/events.md.
//   const live = new Live({ url: 'https://your.host', ticket: async () => (await fetch('/your/own/ticket')).text() });
//   live.addEventListener('payment_update', (e) => console.log(e.detail.status, e.detail.amount));
// Your server gets tickets from POST /v1/stream/tickets with its API key; each is good for one connection.
export class Live extends EventTarget {
  #options; #cursor; #line = null; #failures = 0; #timer = 0; #closed = false; #seen = new Set();

  constructor(options) {
    super();
    this.#options = options;
    this.#cursor = options.cursor ?? ''; // of an earlier Live, to miss nothing over a reload
    this.#connect();
  }

  get cursor() { return this.#cursor; }

  close() {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#line?.close();
  }

  async #connect() {
    try {
      const query = new URLSearchParams({ ticket: await this.#options.ticket() });
      if (this.#closed) return;
      if (this.#cursor) query.set('cursor', this.#cursor);
      const sse = this.#failures % 4 === 3; // there may be a proxy that knows no WebSockets
      const url = new URL((sse ? '/events?' : '/ws?') + query, this.#options.url);
      if (!sse) url.protocol = url.protocol.replace('http', 'ws');
      const line = this.#line = sse ? new EventSource(url) : new WebSocket(url);
      line.onmessage = (message) => line === this.#line && this.#take(JSON.parse(message.data));
      line[sse ? 'onerror' : 'onclose'] = (end) => this.#again(line, end.code);
    } catch {
      this.#again(this.#line); // no ticket
    }
  }

  #take(event) {
    this.#failures = 0;
    this.#cursor = event.cursor;
    if (event.id && this.#seen.has(event.id)) return;
    if (event.id && this.#seen.add(event.id).size > 5000) this.#seen.delete(this.#seen.values().next().value);
    this.dispatchEvent(new CustomEvent(event.type, { detail: event }));
    this.dispatchEvent(new CustomEvent('*', { detail: event }));
  }

  #again(line, code) {
    if (this.#closed || line !== this.#line) return;
    line?.close();
    this.#line = null;
    if (code === 1008) this.#cursor = ''; // of another database: begin anew
    const wait = Math.min(30000, 250 * 2 ** this.#failures++) * (0.5 + Math.random() / 2);
    this.#timer = setTimeout(() => this.#connect(), wait);
  }
}
