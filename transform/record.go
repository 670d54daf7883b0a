package transform

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// The keys of a model's metadata under which blocks are recorded.
const (
	versionKey  = "rcfreeze.version"
	blockPrefix = "rcfreeze.block." // followed by the block's name; the value is a Record as JSON
)

// recordVersion is the version of the format of records.
const recordVersion = "1"

// Record describes a frozen block in the model's metadata, so that it is found again when the file is loaded. Blocks that share
// a bank and a 1×1 weight name the same tensors.
type Record struct {
	Bank      string    `json:"bank"`              // a name that filterbank knows, or "source": the source's own filters
	Layout    Layout    `json:"layout"`            // as in Options
	Expansion int       `json:"expansion"`         // bank filters per source filter or, for Depthwise, per input channel
	Between   Between   `json:"between"`           // as in Options
	Pointwise Pointwise `json:"pointwise"`         // how the 1×1 convolution started
	Seed      uint64    `json:"seed"`              // of the bank; Convert also draws the 1×1 weights of Random from it
	Trained   bool      `json:"trained,omitempty"` // the block was trained since its 1×1 convolution got its first weights

	BankTensor      string `json:"bank_tensor"`      // name of the constant that holds the bank
	BankOutput      string `json:"bank_output"`      // name of the output of the bank's convolution
	PointwiseTensor string `json:"pointwise_tensor"` // name of the constant that holds the 1×1 convolution's weight
	SourceWeight    string `json:"source_weight"`    // name of the source's weight, which a merged convolution gets again
	BankHash        string `json:"bank_sha256"`      // hash of the bank's little-endian bytes
}

// save records the block of that name in the model's metadata.
func (r Record) save(m *onnxgraph.Model, name string) {
	text, err := json.Marshal(r)
	if err != nil {
		panic("transform: " + err.Error()) // a record holds nothing but text, numbers and a bool
	}
	m.SetMetadata(versionKey, recordVersion)
	m.SetMetadata(blockPrefix+name, string(text))
}

// forget removes the records of blocks, and the version if these were the last records.
func forget(m *onnxgraph.Model, names []string) {
	for i, name := range names {
		names[i] = blockPrefix + name
	}
	m.RemoveMetadata(names...)
	if !slices.ContainsFunc(m.MetadataKeys(), func(key string) bool { return strings.HasPrefix(key, blockPrefix) }) {
		m.RemoveMetadata(versionKey)
	}
}
