package server

import (
	"testing"

	"github.com/baixapay/baixa/internal/pg/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }
