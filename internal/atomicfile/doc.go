// Package atomicfile puts files in their places: whole or not at all, and to stay, whether the writing fails, its process is
// killed or the power goes.
//
// A file is written in a temporary folder beside its place, synced, and moved to its place by one rename; then the folder is
// synced. A file that comes with others, which it names, comes last: its rename is the commit. The temporary folder is locked as
// long as its process lives, so that the next process that writes there removes what a killed one left, and nothing else.
package atomicfile
