#!/usr/bin/env bash
# Installs what the tests compare rcfreeze with where it is there: PyTorch, the models of the onnx package,
# Fashion-MNIST. Needs Debian, or a system like it, and root. Tests that miss their peer skip and say so.
set -eu -o pipefail

packages=(libonnx-testdata python3-onnx python3-torch python3-torchvision libopenblas0-pthread dataset-fashion-mnist)

say() { echo "peers: $*" >&2; }

missing=()
for package in "${packages[@]}"; do
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
done
if [ ${#missing[@]} = 0 ]; then
  say "all there already: ${packages[*]}"
  exit
fi

say "installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -qq --no-install-recommends "${missing[@]}" >&2
