"""Computes the gradients of ONNX CNNs by PyTorch, in float64 and float32. Needs what reference.py needs.

    python3 gradients.py JOBS.json [--threads 2]

JOBS.json is a list of objects:

    model       path of the ONNX file
    batch       path of an .npz file with images [N,C,...] float32 and labels [N] int64
    trained     names of the initializers to differentiate by
    statistics  "batch" or "running": by which ones BatchNormalization normalizes
    out         path without ending: gets OUT.float64.npz and OUT.float32.npz, the gradients of the mean cross
                entropy by initializer name

Dropout does nothing. Prints one JSON object a line and job: losses by element type, and parameters, the names of the
initializers that would train by network.py's own judgment.
"""
import argparse
import json
import sys

import numpy as np
import torch
import torch.nn.functional as F

from network import Network


def gradients(job, dtype):
    """Returns the loss, the gradients by name, and the names that network.py would train."""
    net = Network(job["model"], dtype)
    own = sorted(net.parameters)
    net.train_only(job["trained"])
    net.training = job["statistics"] == "batch"
    batch = np.load(job["batch"])
    loss = F.cross_entropy(net(torch.from_numpy(batch["images"]).to(dtype)), torch.from_numpy(batch["labels"]))
    loss.backward()
    return loss.item(), {name: p.grad.numpy() for name, p in net.parameters.items() if p.grad is not None}, own


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("jobs")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    with open(args.jobs) as f:
        jobs = json.load(f)
    for job in jobs:
        losses = {}
        for name in "float64", "float32":
            losses[name], grads, own = gradients(job, getattr(torch, name))
            np.savez(f"{job['out']}.{name}.npz", **grads)
        print(json.dumps({"model": job["model"], "losses": losses, "parameters": own}), flush=True)


if __name__ == "__main__":
    try:
        main()
    except (ValueError, OSError) as e:
        sys.exit(f"gradients.py: {e}")
