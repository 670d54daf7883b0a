// Package filterbank makes the fixed filters of frozen blocks, called banks. Each kind of bank has a name. The random generator
// gives the same bank for the same seed and stream name on every platform.
package filterbank
