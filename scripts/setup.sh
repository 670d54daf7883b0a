#!/usr/bin/env bash
# Puts the ONNX Runtime library into .cache/onnxruntime/, where the tests and the program that is built here look for it.
# Writes nowhere else.
# It comes from the package onnxruntime-node by npm, checked against the sums below; without npm, from ONNX
# Runtime's releases by curl, which have no sum to check.
set -eu -o pipefail
cd "$(dirname "$0")/.."

version=1.24.3
folder=.cache/onnxruntime

say() { echo "setup: $*" >&2; }
fail() { say "$*"; exit 1; }

if [ -n "${RCFREEZE_ORT_LIB:-}" ]; then
  say "RCFREEZE_ORT_LIB names $RCFREEZE_ORT_LIB: nothing to do"
  exit
fi

# For each platform: the library's file in the npm package, its SHA-256, the release's name, the file in it.
case "$(uname -s) $(uname -m)" in
"Linux x86_64")
  packed=linux/x64/libonnxruntime.so.1
  sum=92ba8e44d31b80a34f5e805076a044122c3be1fffe0d88ed790de7267b0b2682
  release=onnxruntime-linux-x64-$version released=libonnxruntime.so.$version ;;
"Linux aarch64")
  packed=linux/arm64/libonnxruntime.so.1
  sum=33032cb5b91c12edbf028d7c69fa40a31848d66c0095448758af237d5e0b07db
  release=onnxruntime-linux-aarch64-$version released=libonnxruntime.so.$version ;;
"Darwin arm64")
  packed=darwin/arm64/libonnxruntime.$version.dylib
  sum=76831409ce6eded92b4cb343cf422c458a60c1ea1d5f3cfa69692ab7fcc67f0f
  release=onnxruntime-osx-arm64-$version released=libonnxruntime.$version.dylib ;;
*)
  fail "no ready-made library for $(uname -s) $(uname -m): build ONNX Runtime $version or newer," \
    "and set RCFREEZE_ORT_LIB to the library's file" ;;
esac
library=$folder/$(basename "$packed")
record=$folder/$version.sha256 # of the library as it was installed

sha256() { if command -v sha256sum >/dev/null; then sha256sum "$@"; else shasum -a 256 "$@"; fi; }

runs() { kill -0 "$1" 2>/dev/null || [ -d "/proc/$1" ]; }

for left in "$folder"/setup.*.*; do # NUMBER.RANDOM of a process: if it no longer runs, it was killed
  number=${left#"$folder"/setup.}
  [ ! -d "$left" ] || runs "${number%.*}" || rm -rf "$left"
done

if [ -f "$record" ] && (cd "$folder" && sha256 --status -c "$version.sha256" 2>/dev/null); then
  say "ONNX Runtime $version is there already"
  echo "$PWD/$library"
  exit
fi

mkdir -p "$folder"
work=$(mktemp -d "$PWD/$folder/setup.$$.XXXXXX")
trap 'rm -rf "$work"' EXIT

from_npm() {
  (cd "$work" && npm pack "onnxruntime-node@$version" --loglevel error --cache "$work/npm" --no-update-notifier >&2) || return
  tar -xzf "$work/onnxruntime-node-$version.tgz" -C "$work" "package/bin/napi-v6/$packed" || return
  mv "$work/package/bin/napi-v6/$packed" "$work/library"
  echo "$sum  $work/library" | sha256 --status -c - || { say "the library in the package is not the one that was pinned"; return 1; }
}

from_release() {
  curl -fsSL -o "$work/release.tgz" \
    "https://github.com/microsoft/onnxruntime/releases/download/v$version/$release.tgz" || return
  tar -xzf "$work/release.tgz" -C "$work" || return
  mv "$work/$release/lib/$released" "$work/library"
}

if command -v npm >/dev/null; then
  from=from_npm what="the npm package onnxruntime-node $version (90 MB)"
elif command -v curl >/dev/null; then
  from=from_release what="the release $release of ONNX Runtime"
else
  fail "needs npm or curl to download ONNX Runtime; install one of them, or set RCFREEZE_ORT_LIB to a library that you have"
fi

say "downloading $what"
if ! "$from"; then
  say "that failed, trying once more in 5 seconds"
  sleep 5
  "$from" || fail "cannot get $what; look at the messages above, or download release $version from" \
    "https://github.com/microsoft/onnxruntime/releases and set RCFREEZE_ORT_LIB to the library's file"
fi

# place moves a file to its place, complete and to stay: it is on the disk before it has its name, and the name is before all goes on.
place() {
  sync "$1"
  mv "$1" "$2"
  sync "$folder"
}
place "$work/library" "$library"
(cd "$folder" && sha256 "$(basename "$library")") >"$work/record"
place "$work/record" "$record"
say "ONNX Runtime $version is in place"
echo "$PWD/$library"
