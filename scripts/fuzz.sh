#!/usr/bin/env bash
# Runs all fuzz tests, one after another. $FUZZTIME is the time for each, such as 30m, or its number of inputs, such as 100000x. With
# FUZZ=NAME it runs only tests whose names contain NAME. It searches the code for fuzz tests, so that it also runs new ones.
set -eu -o pipefail
cd "$(dirname "$0")/.."

tests=$(grep -rE --include='*_test.go' --exclude-dir=testdata --exclude-dir='.?*' -o '^func Fuzz[A-Za-z0-9_]*' . | grep "${FUZZ:-Fuzz}" | sort)
while IFS=: read -r file function; do
  echo "${function#func } in $(dirname "$file")"
  go test -run '^$' -fuzz "^${function#func }\$" -fuzztime "${FUZZTIME:-1m}" -fuzzminimizetime 10x "$(dirname "$file")" </dev/null
done <<< "$tests"
