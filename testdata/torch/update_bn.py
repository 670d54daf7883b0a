"""PyTorch's own re-estimation of running statistics, torch.optim.swa_utils.update_bn, of the model that
runtime/batchnorm's test builds: two convolutions of 3x3, each with BatchNorm and ReLU.

    python3 update_bn.py MODEL BATCHES BATCH_SIZE SIDE OUT

BATCHES holds images of one channel as raw float32. OUT gets the statistics as raw float32: mean and variance of each
BatchNorm in turn.
"""
import sys

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import nn
from torch.optim.swa_utils import update_bn


def main(path, batches, size, side, out):
    weights = {t.name: torch.tensor(numpy_helper.to_array(t)) for t in onnx.load(path).graph.initializer}
    middle, last = weights["0.weight"].shape[0], weights["3.weight"].shape[0]
    net = nn.Sequential(nn.Conv2d(1, middle, 3, padding=1), nn.BatchNorm2d(middle), nn.ReLU(),
                        nn.Conv2d(middle, last, 3, padding=1), nn.BatchNorm2d(last), nn.ReLU())
    net.load_state_dict(weights, strict=False)
    images = torch.from_numpy(np.fromfile(batches, np.float32)).reshape(-1, int(size), 1, int(side), int(side))
    update_bn(images, net)
    np.concatenate([v.numpy() for norm in (net[1], net[4]) for v in (norm.running_mean, norm.running_var)]).tofile(out)


if __name__ == "__main__":
    main(*sys.argv[1:])
