// Package atomicfile writes files completely or not at all, even if writing fails, the process is killed or the power fails. A
// file that was written stays.
//
// A file is written to a temporary folder beside its place, synced, and moved to its place by one rename; then the folder is
// synced. If a file names other files that belong to it, these are moved first, and the rename of the file itself is the commit.
// The process keeps the temporary folder locked. So the next process that writes there can remove the folders of killed
// processes, and nothing else.
package atomicfile
