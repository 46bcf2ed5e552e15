//go:build tools

// Package engine pins the Pulumi CLI that tools/engine/install builds where no installed one is found.
package engine

import _ "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
