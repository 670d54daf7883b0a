#!/usr/bin/env bash
# Runs every fuzz test in turn, each for $FUZZTIME: a time, such as 30m, or a number of inputs, such as 100000x. With FUZZ=NAME only
# those whose names contain NAME. The fuzz tests are found by their functions: a new one is run, too.
set -eu -o pipefail
cd "$(dirname "$0")/.."

tests=$(grep -rE --include='*_test.go' --exclude-dir=testdata --exclude-dir='.?*' -o '^func Fuzz[A-Za-z0-9_]*' . | grep "${FUZZ:-Fuzz}" | sort)
while IFS=: read -r file function; do
  echo "${function#func } in $(dirname "$file")"
  go test -run '^$' -fuzz "^${function#func }\$" -fuzztime "${FUZZTIME:-1m}" -fuzzminimizetime 10x "$(dirname "$file")" </dev/null
done <<< "$tests"
