// Package filterbank makes the fixed filters of frozen blocks, called banks. Each kind of bank has a name. A bank depends only on
// its kind, its shape, a seed, and the name of a random stream: if these are equal, the bank is the same on every platform.
package filterbank
