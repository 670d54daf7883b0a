//go:build !linux

package ort

// signalHandlers is empty where there is no CUDA provider that replaces handlers.
type signalHandlers struct{}

func saveSignalHandlers() *signalHandlers { return &signalHandlers{} }

func (*signalHandlers) restore() {}
