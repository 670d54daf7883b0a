"""PyTorch as the judge of rcfreeze's training: runs and trains an ONNX CNN (opset 7 to 18) with torch's own kernels,
gradients and optimizers. Needs Python 3 with torch 1.13 or later, onnx and numpy.

    python3 reference.py losses MODEL --batches B.npz [--lr-list RATES.txt] [--grads OUT.npz] [--params OUT.npz] [--grad-accum-steps N]
            [COMMON]
    python3 reference.py train MODEL --data CIFAR10_BINARY_FOLDER [--epochs 75] [--batch-size 256] [--seed 0] [--limit N]
            [--mean R,G,B] [--std R,G,B] [COMMON]
    python3 reference.py time MODEL [--batch-size 128] [--steps 20] [--shape C,H,W] [--rounds] [COMMON]

    COMMON: [--frozen NAMES.txt] [--lr 0.01] [--momentum M] [--nesterov] [--weight-decay D] [--label-smoothing S]
            [--optimizer sgd|adamw] [--dtype float32|float64] [--threads 2]

losses  takes one step per row of B.npz (images [S,N,C,...] float32, labels [S,N] int64) and prints {"losses": [...]}.
        With --grad-accum-steps N steps make an update together, and so do those that are left over.
        --grads gets the gradients of the first step by initializer name (without weight decay), --params the
        parameters that train and all running statistics after the last step. RATES.txt has one rate a line per step.
train   prints {"train_loss": [...], "top1": [...], "seconds": [...]}, one number per epoch: the mean loss of the
        training batches, the share of test_batch.bin that is right (0 to 1), and the time for both.
time    prints {"ms": median, "min_ms": ..., "batch_size": ...} of training steps on random data. With --rounds it takes,
        for every line of stdin, as many steps as the line says, and prints {"ms": [one number per step]}.

Without flags, train and time take the recipe M = 0.9, Nesterov (--no-nesterov: off), D = 0.01, S = 0.1; losses takes
plain SGD, all of them off. Each prints JSON objects on stdout, one a line, and talks on stderr. NAMES.txt holds one name a line: initializers that do not train. network.py says what else does.
"""
import argparse
import json
import math
import os
import statistics
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F

from network import Network


def lines(path):
    with open(path) as f:
        return [line.strip() for line in f if line.strip()]


def load(args):
    torch.set_num_threads(args.threads)
    net = Network(args.model, getattr(torch, args.dtype))
    if args.frozen:
        net.freeze(lines(args.frozen))
    return net


def optimizer(net, args):
    """Weight decay is for all that trains, as torch's optimizers do by default."""
    if args.optimizer == "adamw":
        return torch.optim.AdamW(net.parameters.values(), args.lr, weight_decay=args.weight_decay)
    return torch.optim.SGD(net.parameters.values(), args.lr, args.momentum, weight_decay=args.weight_decay, nesterov=args.nesterov)


def step(net, opt, args, images, labels, lr, place=0, group=1):
    """Makes one training step and returns the loss before it; the gradients stay. Of a group of steps, which make
    one update by the mean of their gradients, this is the one at that place."""
    opt.param_groups[0]["lr"] = lr
    if place == 0:
        opt.zero_grad(set_to_none=True)
    loss = F.cross_entropy(net(images), labels, label_smoothing=args.label_smoothing)
    (loss / group).backward()
    if place == group - 1:
        opt.step()
    return loss.item()


def save(path, tensors):
    np.savez(path, **{name: t.detach().numpy() for name, t in tensors.items()})


def losses(args):
    net = load(args)
    batches = np.load(args.batches)
    images, labels = torch.from_numpy(batches["images"]).to(net.dtype), torch.from_numpy(batches["labels"])
    rates = [float(v) for v in lines(args.lr_list)] if args.lr_list else [args.lr] * len(images)
    if not len(rates) == len(images) == len(labels):
        raise ValueError(f"{len(images)} batches of images, {len(labels)} of labels and {len(rates)} learning rates: needs as many of each")
    opt, result = optimizer(net, args), []
    for i, rate in enumerate(rates):
        place = i % args.grad_accum_steps
        group = min(args.grad_accum_steps, len(rates) - i + place)
        result.append(step(net, opt, args, images[i], labels[i], rate, place, group))
        if i == 0 and args.grads:
            save(args.grads, {name: p.grad for name, p in net.parameters.items() if p.grad is not None})
    if args.params:
        save(args.params, {**net.parameters, **net.statistics})
    return {"losses": result}


def cifar(folder, files, limit):
    """Reads CIFAR-10's binary form: a label byte, then 3072 bytes of a planar 32x32 RGB image."""
    rows = np.concatenate([np.fromfile(os.path.join(folder, f), np.uint8).reshape(-1, 3073) for f in files])[:limit]
    return torch.from_numpy(rows[:, 1:].reshape(-1, 3, 32, 32)), torch.from_numpy(rows[:, 0].astype(np.int64))


def augment(images, generator):
    """Pads raw pixels by 4 zeros, crops 32x32 at random, and mirrors every other image."""
    n = len(images)
    windows = F.pad(images, (4, 4, 4, 4)).unfold(2, 32, 1).unfold(3, 32, 1)  # a view: [n, 3, 9, 9, 32, 32]
    down, right = torch.randint(9, (2, n), generator=generator)
    crops = windows[torch.arange(n), :, down, right]
    flipped = torch.rand(n, 1, 1, 1, generator=generator) < 0.5
    return torch.where(flipped, crops.flip(3), crops)


def top1(net, images, labels, normalize, batch=250):
    net.training, right = False, 0
    with torch.no_grad():
        for x, y in zip(images.split(batch), labels.split(batch)):
            right += int((net(normalize(x)).argmax(1) == y).sum())
    net.training = True
    return right / len(labels)


def train(args):
    net = load(args)
    images, labels = cifar(args.data, [f"data_batch_{i}.bin" for i in range(1, 6)], args.limit)
    test_images, test_labels = cifar(args.data, ["test_batch.bin"], args.limit)
    mean, std = (torch.tensor(v, dtype=net.dtype).reshape(3, 1, 1) for v in (args.mean, args.std))
    normalize = lambda pixels: (pixels.to(net.dtype) / 255 - mean) / std
    generator = torch.Generator().manual_seed(args.seed)
    steps = len(images) // args.batch_size  # the last incomplete batch is dropped
    if steps == 0:
        raise ValueError(f"{len(images)} training images make no batch of {args.batch_size}")
    opt, result = optimizer(net, args), {"train_loss": [], "top1": [], "seconds": []}
    for epoch in range(args.epochs):
        start, total = time.time(), 0.0
        order = torch.randperm(len(images), generator=generator)
        for i in range(steps):
            # Cosine annealing per step, from lr at the first step of all towards 0 after the last.
            done = (epoch * steps + i) / (args.epochs * steps)
            rate = args.lr / 2 * (1 + math.cos(math.pi * done))
            batch = order[i * args.batch_size:(i + 1) * args.batch_size]
            total += step(net, opt, args, normalize(augment(images[batch], generator)), labels[batch], rate)
            print(f"\repoch {epoch + 1}/{args.epochs} step {i + 1}/{steps} loss {total / (i + 1):.4f}", end="", file=sys.stderr)
        result["train_loss"].append(total / steps)
        result["top1"].append(top1(net, test_images, test_labels, normalize))
        result["seconds"].append(time.time() - start)
        print(f" top-1 {result['top1'][-1]:.4f} in {result['seconds'][-1]:.1f} s", file=sys.stderr)
    return result


def measure(args):
    net = load(args)
    shape = args.shape or net.shape[1:]
    if not all(shape):
        raise ValueError(f"{args.model} leaves the image size open {shape}: give --shape C,H,W")
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(args.batch_size, *shape, generator=generator, dtype=net.dtype)
    with torch.no_grad():
        classes = net(images).shape[1]
    labels = torch.randint(classes, (args.batch_size,), generator=generator)
    opt = optimizer(net, args)

    def times(steps):
        taken = []
        for _ in range(steps):
            start = time.perf_counter()
            step(net, opt, args, images, labels, args.lr)
            taken.append(1000 * (time.perf_counter() - start))
        return taken

    times(2)  # the first steps allocate memory and choose kernels
    if args.rounds:
        for line in sys.stdin:
            print(json.dumps({"ms": times(int(line))}), flush=True)
        sys.exit()
    taken = times(args.steps)
    return {"ms": statistics.median(taken), "min_ms": min(taken), "batch_size": args.batch_size}


def numbers(kind):
    return lambda text: [kind(v) for v in text.split(",")]


def command(commands, name, run, **defaults):
    """Adds a command with the flags that all have."""
    p = commands.add_parser(name)
    p.add_argument("model")
    p.add_argument("--frozen", help="file of names, one a line: initializers that do not train")
    p.add_argument("--lr", type=float, default=0.01)
    p.add_argument("--momentum", type=float, default=0.0)
    p.add_argument("--nesterov", action=argparse.BooleanOptionalAction, default=False)
    p.add_argument("--weight-decay", type=float, default=0.0)
    p.add_argument("--label-smoothing", type=float, default=0.0)
    p.add_argument("--optimizer", choices=["sgd", "adamw"], default="sgd")
    p.add_argument("--dtype", choices=["float32", "float64"], default="float32")
    p.add_argument("--threads", type=int, default=2)
    p.set_defaults(run=run, **defaults)
    return p


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    recipe = dict(momentum=0.9, nesterov=True, weight_decay=0.01, label_smoothing=0.1)
    p = command(commands, "losses", losses)
    p.add_argument("--batches", required=True)
    p.add_argument("--grad-accum-steps", type=int, default=1)
    p.add_argument("--lr-list", help="file of learning rates, one a line for each step")
    p.add_argument("--grads", help="gets the gradients of the first step")
    p.add_argument("--params", help="gets parameters and running statistics after the last step")
    p = command(commands, "train", train, **recipe)
    p.add_argument("--data", required=True)
    p.add_argument("--epochs", type=int, default=75)
    p.add_argument("--batch-size", type=int, default=256)
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--limit", type=int, help="take only the first N images of either set")
    p.add_argument("--mean", type=numbers(float), default=[0.4914, 0.4822, 0.4465])
    p.add_argument("--std", type=numbers(float), default=[0.2470, 0.2435, 0.2616])
    p = command(commands, "time", measure, **recipe)
    p.add_argument("--batch-size", type=int, default=128)
    p.add_argument("--steps", type=int, default=20)
    p.add_argument("--shape", type=numbers(int), help="C,H,W, where the model leaves it open")
    p.add_argument("--rounds", action="store_true", help="take steps as stdin asks for them")
    return parser.parse_args(argv)


def run(argv):
    """Runs a command line and returns what it prints."""
    args = parse(argv)
    return args.run(args)


if __name__ == "__main__":
    try:
        print(json.dumps(run(sys.argv[1:])))
    except (ValueError, OSError) as e:
        sys.exit(f"reference.py: {e}")
