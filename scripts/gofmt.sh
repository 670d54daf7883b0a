#!/usr/bin/env bash
# Fails if any Go file is not formatted, and lists these files.
set -eu -o pipefail
cd "$(dirname "$0")/.."

unformatted=$(gofmt -l .)
if [ -n "$unformatted" ]; then
  printf 'these files are not formatted; run gofmt -w on them:\n%s\n' "$unformatted" >&2
  exit 1
fi
