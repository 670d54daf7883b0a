//go:build !cgo

package main

import _ "embed"

// There is no such file: the go command ends with this line, before it comes to the packages that need cgo and say less.
//
//go:embed "rcfreeze needs cgo: install a C compiler, such as gcc, and set CGO_ENABLED=1"
var _ string
