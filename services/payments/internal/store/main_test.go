package store

import (
	"context"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/internal/pg/pgtest"
)

// TestMain runs the tests and then fails when a statement of this package was never run by any of them.
func TestMain(m *testing.M) {
	code := pgtest.Run(m)
	if code == 0 && flag.Lookup("test.run").Value.String() == "" && flag.Lookup("test.list").Value.String() == "" {
		statements, err := statements(".")
		if err != nil || len(statements) < 30 {
			fmt.Fprintf(os.Stderr, "read the statements of this package: %d found, %v\n", len(statements), err)
			code = 1
		}
		for name, text := range statements {
			if !seen.ran(text) {
				fmt.Fprintf(os.Stderr, "no test runs the statement %s\n", name)
				code = 1
			}
		}
	}
	os.Exit(code)
}

func TestStatements_areFound(t *testing.T) {
	got, err := statements(".")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"lockSales": lockSales, "getSale": getSale, "claimLooks": claimLooks, "getCursor": getCursor} {
		if got[name] != want {
			t.Errorf("%s read from the source is\n%s\nand not\n%s", name, got[name], want)
		}
	}
	if _, ok := got["saleColumns"]; ok {
		t.Error("a list of columns is taken for a statement")
	}
}

// texts collects the statements that were sent to PostgreSQL.
type texts struct {
	mu   sync.Mutex
	seen map[string]bool
}

var seen = &texts{seen: map[string]bool{}}

func (x *texts) add(sql string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.seen[sql] = true
}

func (x *texts) ran(sql string) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.seen[sql]
}

func (x *texts) TraceQueryStart(ctx context.Context, _ *pgx.Conn, d pgx.TraceQueryStartData) context.Context {
	x.add(d.SQL)
	return ctx
}
func (x *texts) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}
func (x *texts) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	return ctx
}
func (x *texts) TraceBatchQuery(_ context.Context, _ *pgx.Conn, d pgx.TraceBatchQueryData) {
	x.add(d.SQL)
}
func (x *texts) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

var statement = regexp.MustCompile(`^\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\s`)

// statements reads the constants of a package folder that are SQL, by name.
func statements(dir string) (map[string]string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	exprs := map[string]ast.Expr{}
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		for _, d := range file.Decls {
			decl, ok := d.(*ast.GenDecl)
			if !ok || decl.Tok != token.CONST {
				continue
			}
			for _, s := range decl.Specs {
				spec := s.(*ast.ValueSpec)
				for i, name := range spec.Names[:min(len(spec.Names), len(spec.Values))] {
					exprs[name.Name] = spec.Values[i]
				}
			}
		}
	}
	out := map[string]string{}
	for name, e := range exprs {
		if text, ok := value(exprs, e); ok && statement.MatchString(text) {
			out[name] = text
		}
	}
	return out, nil
}

// value is the text of a constant expression, if it is one of texts.
func value(all map[string]ast.Expr, e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		return text, err == nil && e.Kind == token.STRING
	case *ast.Ident:
		return value(all, all[e.Name])
	case *ast.BinaryExpr:
		x, ok1 := value(all, e.X)
		y, ok2 := value(all, e.Y)
		return x + y, ok1 && ok2
	}
	return "", false
}
