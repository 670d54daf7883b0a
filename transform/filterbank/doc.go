// Package filterbank makes the fixed filters of frozen blocks: banks of named kinds, drawn from a random generator that
// gives the same bank for the same seed and stream name everywhere.
package filterbank
