//go:build !linux || !cgo

package ort

// signalHandlers is empty on systems where no CUDA provider replaces handlers.
type signalHandlers struct{}

func saveSignalHandlers() *signalHandlers { return &signalHandlers{} }

func (*signalHandlers) restore() {}
