"""Checks reference.py: operators against the tests that the onnx package ships, training against plain torch modules.

    python3 selfcheck.py

Prints what it compared with the largest differences, and exits with 1 if anything is off. Takes some seconds.
"""
import copy
import glob
import os
import sys
import tempfile
import warnings

import numpy as np
import onnx
import torch
import torch.nn as nn
import torch.nn.functional as F
from onnx import helper, numpy_helper

import reference
from network import Network, attributes
from operators import OPERATORS

failures = []


def check(what, difference, bound):
    """Notes a failure if the difference is above the bound, or no number."""
    good = difference <= bound
    print(f"{'ok  ' if good else 'FAIL'} {what}: {difference:.1e}, at most {bound:.0e}")
    if not good:
        failures.append(what)


def difference(x, y):
    """Returns the L2 norm of x - y relative to that of y, or to 1e-6: the gradient of a bias before
    BatchNormalization is rounding noise. Infinity if the shapes differ or one is no number."""
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if x.shape != y.shape:
        return np.inf
    d = np.linalg.norm(x - y) / max(np.linalg.norm(y), 1e-6)
    return np.inf if np.isnan(d) else d


class Bare:
    """What operators ask of a network."""
    training, dtype = False, torch.float32

    def __init__(self, opset):
        self.opset = opset


def operators():
    """Runs the onnx package's tests of single nodes, as far as the operators claim to know them."""
    skipped = {"test_slice_neg_steps", "test_edge_pad", "test_reflect_pad"}  # no CNN needs these, nor unsigned numbers
    folder = os.path.join(os.path.dirname(onnx.__file__), "backend/test/data/node")
    ran, worst = {}, (0.0, "")
    for path in sorted(glob.glob(folder + "/test_*/model.onnx")):
        name, model = path.split("/")[-2], onnx.load(path)
        opset = model.opset_import[0].version
        if len(model.graph.node) != 1 or opset > 18 or name in skipped or "uint" in name:
            continue
        n, = model.graph.node
        trains = any(a.name == "training_mode" and a.i for a in n.attribute)
        tensors = all(v.type.HasField("tensor_type") for v in model.graph.input)
        if n.op_type not in OPERATORS or n.domain or trains or not tensors or len(n.output) > 1 or n.op_type in ("Cast", "Dropout"):
            continue
        sample = os.path.dirname(path) + "/test_data_set_0/"
        given = {}
        for i, v in enumerate(model.graph.input):
            given[v.name] = torch.tensor(numpy_helper.to_array(onnx.load_tensor(f"{sample}input_{i}.pb")))
        want = numpy_helper.to_array(onnx.load_tensor(sample + "output_0.pb"))
        try:
            got = OPERATORS[n.op_type](Bare(opset), attributes(n), *(given[v] if v else None for v in n.input))
            worst = max(worst, (difference(got, want), name))
        except Exception as e:
            worst = (np.inf, f"{name}: {e}")
            failures.append(worst[1])
        ran[n.op_type] = ran.get(n.op_type, 0) + 1
    print(f"     node tests: {ran}")
    check(f"{sum(ran.values())} node tests of {len(ran)} operators, the worst is {worst[1]}", worst[0], 1e-5)


EXACT = dict(momentum=0.125, eps=2 ** -16)  # the file has float32 for them: no rounding


class Small(nn.Module):
    """Bias, groups, strides, uneven momenta, a shortcut, both kinds of pooling, Concat and a linear end."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.norm1, self.norm2 = nn.BatchNorm2d(8, momentum=0.25, eps=2 ** -10), nn.BatchNorm2d(8, **EXACT)
        self.depthwise, self.point = nn.Conv2d(8, 8, 5, padding=2, groups=8, bias=False), nn.Conv2d(8, 8, 1)
        self.down = nn.Conv2d(16, 12, 3, stride=2, dilation=2, padding=1, groups=2)
        self.hidden, self.out = nn.Linear(12 * 4, 16), nn.Linear(16, 7)

    def forward(self, x):
        x = F.relu(self.norm1(self.stem(x)))
        x = F.relu(x + self.norm2(self.point(self.depthwise(x))))
        x = torch.cat([F.max_pool2d(x, 3, 2, 1), F.avg_pool2d(x, 2)], 1)
        x = F.relu6(4 * self.down(x))
        return self.out(F.relu(self.hidden(x.reshape(len(x), -1))))  # len fixes the batch size in the file


def deep(rank):
    """A net of 1-D or 3-D convolutions."""
    conv, norm, pool = (getattr(nn, f"{kind}{rank}d") for kind in ("Conv", "BatchNorm", "AdaptiveAvgPool"))
    return nn.Sequential(conv(2, 6, 3, 2, 1), norm(6, **EXACT), nn.ReLU(), conv(6, 6, 3), nn.ReLU(), pool(1), nn.Flatten(), nn.Linear(6, 4))


def native(net, images, labels, frozen, make, smoothing, rates):
    """Trains a torch module the usual way; returns its losses, first gradients and last state."""
    for name, p in net.named_parameters():
        p.requires_grad_(name not in frozen)
    opt, losses, grads = make([p for p in net.parameters() if p.requires_grad]), [], {}
    for x, y, rate in zip(images, labels, rates):
        opt.param_groups[0]["lr"] = rate
        opt.zero_grad()
        loss = nn.CrossEntropyLoss(label_smoothing=smoothing)(net(x), y)
        loss.backward()
        grads = grads or {n: p.grad.clone() for n, p in net.named_parameters() if p.grad is not None}
        opt.step()
        losses.append(loss.item())
    return losses, grads, net.state_dict()


def training(folder, what, net, shape, classes, frozen, make, flags, softmax=False):
    """Compares steps of a module with those of its ONNX file, which has batch size 2."""
    path = lambda name: os.path.join(folder, name)
    exported = copy.deepcopy(net)
    if softmax:
        exported = nn.Sequential(*exported, nn.Softmax(1))
    state = copy.deepcopy(exported.state_dict())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(exported, torch.zeros(2, *shape), path("m.onnx"), training=torch.onnx.TrainingMode.TRAINING,
                          do_constant_folding=False, opset_version=14)
    model = onnx.load(path("m.onnx"))  # the export has moved the running statistics, and fixed batch size 2
    for t in model.graph.initializer:
        if t.name in state:
            t.CopyFrom(numpy_helper.from_array(state[t.name].numpy(), t.name))
    onnx.save(model, path("m.onnx"))

    generator = torch.Generator().manual_seed(1)
    images = torch.randn(5, 6, *shape, generator=generator)
    labels = torch.randint(classes, (5, 6), generator=generator)
    rates = [0.05, 0.04, 0.03, 0.02, 0.01]
    np.savez(path("b.npz"), images=images.numpy(), labels=labels.numpy())
    open(path("frozen.txt"), "w").write("\n".join(frozen))
    open(path("rates.txt"), "w").write("\n".join(map(str, rates)))
    command = ["losses", path("m.onnx"), "--batches", path("b.npz"), "--frozen", path("frozen.txt"), "--lr-list", path("rates.txt"),
               "--dtype", "float64", "--label-smoothing", "0.1", "--grads", path("g.npz"), "--params", path("p.npz")]
    got = reference.run(command + flags)["losses"]
    want, grads, state = native(net.double(), images.double(), labels, frozen, make, 0.1, rates)
    check(f"{what}: losses", difference(got, want), 1e-12)
    for kind, file, expected in (("gradients", "g.npz", grads),
                                 ("parameters", "p.npz", {k: v for k, v in state.items() if k not in frozen and v.is_floating_point()})):
        saved = np.load(path(file))
        if set(saved.files) != set(expected):
            failures.append(f"{what}: {kind} {sorted(saved.files)}, want {sorted(expected)}")
            continue
        check(f"{what}: {len(expected)} {kind}", max(difference(saved[k], expected[k]) for k in expected), 1e-10)

    net.eval()
    judged = Network(path("m.onnx"), torch.float64)
    for name, v in judged.constants.items():
        v.data.copy_(state[name]) if name in state else None
    judged.training = False
    x = images[0].double()
    check(f"{what}: logits in evaluation", difference(judged(x).detach(), net(x).detach()), 1e-12)


def augmentation():
    """Every augmented image must be one of the 2 x 81 views of its padded original, and all views must turn up."""
    images = torch.arange(1, 3 * 32 * 32 + 1).remainder(251).to(torch.uint8).reshape(1, 3, 32, 32).repeat(2000, 1, 1, 1)
    made = reference.augment(images, torch.Generator().manual_seed(0))
    padded = np.pad(images[0].numpy(), ((0, 0), (4, 4), (4, 4)))
    views = {padded[:, y:y + 32, x:x + 32][:, :, ::way].tobytes() for y in range(9) for x in range(9) for way in (1, -1)}
    check("augmented images that are no view", len({m.numpy().tobytes() for m in made} ^ views), 0)


def refusal(folder):
    """Unknown operators must all be named in one error."""
    nodes = [helper.make_node("Atan", ["x"], ["y"]), helper.make_node("Tan", ["y"], ["z"])]
    values = [helper.make_tensor_value_info(v, 1, [1, 3]) for v in "xz"]
    path = os.path.join(folder, "unknown.onnx")
    onnx.save(helper.make_model(helper.make_graph(nodes, "g", values[:1], values[1:])), path)
    try:
        Network(path)
        failures.append("unknown operators: no error")
    except ValueError as e:
        check("unknown operators that the error leaves out", sum(op not in str(e) for op in ("Atan", "Tan")), 0)


def main():
    torch.manual_seed(0)
    torch.set_num_threads(2)
    sgd = lambda parameters: torch.optim.SGD(parameters, 1, 0.9, weight_decay=0.01, nesterov=True)
    plain = lambda parameters: torch.optim.SGD(parameters, 1, 0.8)
    adamw = lambda parameters: torch.optim.AdamW(parameters, 1, weight_decay=0.02)
    recipe = ["--momentum", "0.9", "--nesterov", "--weight-decay", "0.01"]
    operators()
    with tempfile.TemporaryDirectory() as folder:
        training(folder, "2-D", Small(), (3, 12, 12), 7, [], sgd, recipe)
        training(folder, "2-D, frozen", Small(), (3, 12, 12), 7, ["stem.weight", "norm2.bias", "down.weight"], sgd, recipe)
        training(folder, "1-D, plain momentum", deep(1), (2, 16), 4, [], plain, ["--momentum", "0.8"])
        training(folder, "3-D, AdamW, Softmax at the end", deep(3), (2, 8, 8, 8), 4, ["3.weight"], adamw,
                 ["--optimizer", "adamw", "--weight-decay", "0.02"], softmax=True)
        refusal(folder)
    augmentation()
    if failures:
        sys.exit("selfcheck.py: off:\n  " + "\n  ".join(failures))


if __name__ == "__main__":
    main()
