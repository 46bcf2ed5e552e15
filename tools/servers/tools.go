//go:build tools

// Package servers pins the S3 server that tools/servers/install builds for the tests.
package servers

import _ "github.com/versity/versitygw/cmd/versitygw"
