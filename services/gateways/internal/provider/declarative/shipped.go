package declarative

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/baixapay/baixa/services/gateways/internal/provider"
)

//go:embed shipped/*.yaml
var shipped embed.FS

// Shipped makes the adapters that come with this system.
func Shipped(deps provider.Deps) ([]provider.Adapter, error) {
	folder, err := fs.Sub(shipped, "shipped")
	if err != nil {
		return nil, fmt.Errorf("open shipped providers: %w", err)
	}
	return LoadFS(deps, folder)
}

// LoadFS makes an adapter of every file of a folder whose name ends in .yaml or .yml, in the order of their names.
// Folders below it are left alone. Mistakes of all files are joined in one error.
func LoadFS(deps provider.Deps, folder fs.FS) ([]provider.Adapter, error) {
	entries, err := fs.ReadDir(folder, ".")
	if err != nil {
		return nil, fmt.Errorf("read folder of providers: %w", err)
	}
	var adapters []provider.Adapter
	var mistakes []error
	for _, entry := range entries {
		if ext := path.Ext(entry.Name()); entry.IsDir() || ext != ".yaml" && ext != ".yml" {
			continue
		}
		text, err := fs.ReadFile(folder, entry.Name())
		if err != nil {
			mistakes = append(mistakes, fmt.Errorf("read provider file: %w", err))
			continue
		}
		a, err := Load(deps, entry.Name(), text)
		if err != nil {
			mistakes = append(mistakes, err)
			continue
		}
		adapters = append(adapters, a)
	}
	if err := errors.Join(mistakes...); err != nil {
		return nil, err
	}
	return adapters, nil
}
