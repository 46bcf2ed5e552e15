// The Kubernetes provider of Pulumi, from Go modules, for examples/kubernetes on the real engine.
// The two files are the module's own; install puts them here.
package main

import (
	_ "embed"

	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/provider"
)

//go:embed schema.json
var schema []byte

//go:embed terraform-mapping.json
var terraformMapping []byte

// version is set by the build.
var version string

func main() {
	provider.Serve("kubernetes", version, schema, terraformMapping)
}
