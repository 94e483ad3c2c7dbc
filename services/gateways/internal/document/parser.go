package document

import "unicode/utf8"

// parser builds the tree of a text that json.Valid has already accepted, so it has no syntax errors to report.
type parser struct {
	t   *tree
	pos int
}

// value appends the value at pos, with the key that lies at [keyAt,keyEnd), and everything below it. It reports false
// when the document holds too many values.
func (p *parser) value(keyAt, keyEnd int, escaped bool) bool {
	if len(p.t.nodes) == MaxNodes {
		return false
	}
	p.space()
	me := len(p.t.nodes)
	p.t.nodes = append(p.t.nodes, node{keyAt: int32(keyAt), keyEnd: int32(keyEnd), escaped: escaped, from: int32(p.pos)})
	ok := true
	kind := Number
	switch c := p.t.src[p.pos]; c {
	case '{':
		kind = Object
		ok = p.members(me, '}')
	case '[':
		kind = Array
		ok = p.members(me, ']')
	case '"':
		kind = String
		p.text()
	case 't', 'n':
		if kind = Null; c == 't' {
			kind = Bool
		}
		p.pos += len("true")
	case 'f':
		kind = Bool
		p.pos += len("false")
	default:
		for p.pos < len(p.t.src) && numeric(p.t.src[p.pos]) {
			p.pos++
		}
	}
	p.t.nodes[me].kind = kind
	p.t.nodes[me].to = int32(p.pos)
	return ok
}

func (p *parser) members(me int, end byte) bool {
	p.pos++
	last := -1
	for {
		p.space()
		switch p.t.src[p.pos] {
		case end:
			p.pos++
			return true
		case ',':
			p.pos++
			continue
		}
		var keyAt, keyEnd int
		var escaped bool
		if end == '}' {
			keyAt = p.pos + 1
			escaped = p.text()
			keyEnd = p.pos - 1
			escaped = escaped || !utf8.Valid(p.t.src[keyAt:keyEnd])
			p.space()
			p.pos++ // the colon
		}
		kid := len(p.t.nodes)
		if !p.value(keyAt, keyEnd, escaped) {
			return false
		}
		if last < 0 {
			p.t.nodes[me].firstKid = int32(kid)
		} else {
			p.t.nodes[last].next = int32(kid)
		}
		last = kid
	}
}

// text moves past a quoted string and reports whether it holds escapes.
func (p *parser) text() (escaped bool) {
	for p.pos++; p.t.src[p.pos] != '"'; p.pos++ {
		if p.t.src[p.pos] == '\\' {
			escaped = true
			p.pos++
		}
	}
	p.pos++
	return escaped
}

func (p *parser) space() {
	for p.pos < len(p.t.src) {
		switch p.t.src[p.pos] {
		case ' ', '\t', '\n', '\r':
			p.pos++
		default:
			return
		}
	}
}

func numeric(c byte) bool {
	return c >= '0' && c <= '9' || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E'
}
