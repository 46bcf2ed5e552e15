//go:build tools

// Package actionlint pins the linter of GitHub Actions' workflows that tools/actionlint/install builds for the tests.
package actionlint

import _ "github.com/rhysd/actionlint/cmd/actionlint"
