package gateways

import (
	"fmt"
	"os"

	"github.com/baixapay/baixa/services/gateways/internal/provider"
	"github.com/baixapay/baixa/services/gateways/internal/provider/declarative"
	"github.com/baixapay/baixa/services/gateways/internal/provider/registry"
)

// registryOf knows the providers that come with this system and those of a folder's YAML files; "" is no folder. A wrong file
// is refused with its name, line and field, and with it the start.
func registryOf(client *provider.Client, folder string) (*registry.Registry, error) {
	deps := provider.Deps{Client: client}
	if folder == "" {
		return registry.New(deps)
	}
	info, err := os.Stat(folder)
	if err != nil {
		return nil, fmt.Errorf("providers: expected a folder of YAML files: %w", err)
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("providers: expected a folder of YAML files, %s is a file", folder)
	}
	more, err := declarative.LoadFS(deps, os.DirFS(folder))
	if err != nil {
		return nil, fmt.Errorf("providers in %s:\n%w", folder, err)
	}
	if len(more) == 0 {
		return nil, fmt.Errorf("providers: no file in %s ends in .yaml or .yml", folder)
	}
	return registry.New(deps, more...)
}
