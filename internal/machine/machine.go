// Package machine names the machine that a program runs on.
package machine

import (
	"os"
	"strings"
)

// Processor names the processor, and its vector instructions, where Linux tells.
func Processor() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown processor"
	}
	return processor(string(info))
}

func processor(info string) string {
	name, vectors := "unknown processor", ""
	for line := range strings.Lines(info) {
		key, value, _ := strings.Cut(line, ":")
		switch strings.TrimSpace(key) {
		case "model name":
			name = strings.TrimSpace(value)
		case "flags":
			for _, flag := range strings.Fields(value) {
				if flag == "avx2" || flag == "avx512f" {
					vectors = " with " + strings.ToUpper(strings.TrimSuffix(flag, "f"))
				}
			}
		}
	}
	return name + vectors
}
