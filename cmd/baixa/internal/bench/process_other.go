//go:build !unix

package bench

import (
	"context"
	"errors"
)

func (e *Env) outside(context.Context, string) (running, error) {
	return running{}, errors.New("this benchmark needs a Unix system")
}
