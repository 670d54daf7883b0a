#!/usr/bin/env bash
# Puts the ONNX Runtime library into .cache/onnxruntime/, where the tests look for it, and so does the program that you build here.
# Writes nowhere else. npm downloads the package onnxruntime-node, and the script checks the library against the checksums below.
# Without npm, curl downloads a release of ONNX Runtime, which is not checked.
set -eu -o pipefail
cd "$(dirname "$0")/.."

version=1.24.3
folder=.cache/onnxruntime

say() { echo "setup: $*" >&2; }
fail() { say "$*"; exit 1; }

if [ -n "${RCFREEZE_ORT_LIB:-}" ]; then
  say "nothing to do, because RCFREEZE_ORT_LIB is set to $RCFREEZE_ORT_LIB"
  exit
fi

# For each platform: the path of the library in the npm package, its SHA-256, the name of the release, the name of the library in it.
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
record=$folder/$version.sha256 # the checksum of the installed library

sha256() { if command -v sha256sum >/dev/null; then sha256sum "$@"; else shasum -a 256 "$@"; fi; }

runs() { kill -0 "$1" 2>/dev/null || [ -d "/proc/$1" ]; }

for left in "$folder"/setup.*.*; do # the first * is a process number: if that process no longer runs, it was killed
  number=${left#"$folder"/setup.}
  [ ! -d "$left" ] || runs "${number%.*}" || rm -rf "$left"
done

if [ -f "$record" ] && (cd "$folder" && sha256 --status -c "$version.sha256" 2>/dev/null); then
  say "ONNX Runtime $version is already installed"
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
  echo "$sum  $work/library" | sha256 --status -c - || { say "the checksum of the library in the npm package is wrong"; return 1; }
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
  from=from_release what="release $release of ONNX Runtime"
else
  fail "needs npm or curl to download ONNX Runtime; install one of them, or set RCFREEZE_ORT_LIB to a library that you have"
fi

say "downloading $what"
if ! "$from"; then
  say "the download failed; trying once more in 5 seconds"
  sleep 5
  "$from" || fail "cannot get $what; look at the messages above, or download release $version from" \
    "https://github.com/microsoft/onnxruntime/releases and set RCFREEZE_ORT_LIB to the library's file"
fi

# place moves a file to its final name. It syncs the file before that, and the folder after it, so that a power failure never leaves
# half a file.
place() {
  sync "$1"
  mv "$1" "$2"
  sync "$folder"
}
place "$work/library" "$library"
(cd "$folder" && sha256 "$(basename "$library")") >"$work/record"
place "$work/record" "$record"
say "installed ONNX Runtime $version"
echo "$PWD/$library"
