#!/usr/bin/env bash
# Installs what `make test-all` compares rcfreeze with: PyTorch, SciPy, the test models of the onnx package, Fashion-MNIST,
# and the browser Chromium, which opens reports.
# Needs root on Debian or a similar system. Tests that need a missing package are skipped, and say so.
set -eu -o pipefail

packages=(libonnx-testdata python3-onnx python3-torch python3-torchvision python3-scipy libopenblas0-pthread dataset-fashion-mnist chromium)

say() { echo "peers: $*" >&2; }

missing=()
for package in "${packages[@]}"; do
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
done
if [ ${#missing[@]} = 0 ]; then
  say "already installed: ${packages[*]}"
  exit
fi

say "installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -qq --no-install-recommends "${missing[@]}" >&2
