package checkout

import (
	"fmt"
	"html/template"
	"strconv"
	"strings"

	qrcode "github.com/skip2/go-qrcode"
)

// QR is a code as an SVG image: one path on a square of Size modules, the quiet zone of four modules included (ISO/IEC 18004).
type QR struct {
	Size int
	Path template.HTMLAttr
}

// maxCode is how long a copia-e-cola is drawn: beyond it the modules are too small for a phone.
const maxCode = 1024

// newQR draws text with a quarter of it restorable less the modules' size: level M, which banks' apps expect.
func newQR(text string) (QR, error) {
	if text == "" || len(text) > maxCode {
		return QR{}, fmt.Errorf("draw QR code: %d bytes; 1 to %d can be drawn", len(text), maxCode)
	}
	code, err := qrcode.New(text, qrcode.Medium)
	if err != nil {
		return QR{}, fmt.Errorf("draw QR code: %w", err)
	}
	rows := code.Bitmap() // with its quiet zone
	var d strings.Builder
	for y, row := range rows {
		for x := 0; x < len(row); x++ {
			if !row[x] {
				continue
			}
			end := x
			for end < len(row) && row[end] {
				end++
			}
			d.WriteString("M" + strconv.Itoa(x) + " " + strconv.Itoa(y) + "h" + strconv.Itoa(end-x) + "v1H" + strconv.Itoa(x) + "z")
			x = end
		}
	}
	return QR{Size: len(rows), Path: template.HTMLAttr(`d="` + d.String() + `"`)}, nil
}
