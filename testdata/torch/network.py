"""An ONNX CNN as a torch network that trains: constants are tensors by name, nodes run one by one.

What trains: the constants that Conv, Gemm and MatMul read as weights and biases, and the scales and shifts of
BatchNormalization; also those that come to them through nodes which compute from constants only, and what Add, Mul, Sub
and Div apply behind a weight: vectors and maps by Add and Mul (the same bias or scale in other words), and single numbers
that nobody would write in a formula. Running means and variances are statistics. All other constants stay as they are.
"""
from collections import Counter, namedtuple

import numpy as np
import onnx
import torch
from onnx import numpy_helper

from operators import OPERATORS

Node = namedtuple("Node", "name op attributes inputs outputs")

# Which inputs of which operators train, if they do not depend on the images.
TRAINED = {"Conv": (1, 2), "Gemm": (0, 1, 2), "MatMul": (0, 1), "BatchNormalization": (1, 2), "Add": (0, 1), "Mul": (0, 1),
           "Sub": (1,), "Div": (1,)}
STATISTICS = (3, 4)  # of BatchNormalization


def attributes(node):
    """Returns the attributes of an ONNX node by name, in Python's types."""
    values = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    return {k: v.decode() if isinstance(v, bytes) else v for k, v in values.items()}


def is_written(x):
    """Whether a number is one of at most three digits, or follows from one or from pi by a root or an inverse, in float32."""
    candidates = [x, x * x, 1 / x, 1 / x ** 2, x * x * np.pi / 2, x / np.pi, x / np.log(2), x * np.log(2)]
    return x == int(x) or any(abs(float(f"{y:.2e}") - y) <= 3e-7 * abs(y) for y in candidates)


class Network:
    """A model whose first output is logits, or their softmax, which is left out."""

    def __init__(self, path, dtype=torch.float32):
        model = onnx.load(path)
        graph = model.graph
        self.path, self.dtype, self.training = path, dtype, True
        self.opset = next(o.version for o in model.opset_import if o.domain in ("", "ai.onnx"))
        self.constants = {t.name: self.tensor(t) for t in graph.initializer}
        self.initializers = set(self.constants)
        images = [v for v in graph.input if v.name not in self.constants]
        if len(images) != 1:
            raise ValueError(f"{path} has {len(images)} inputs {[v.name for v in images]}, needs exactly 1")
        self.image = images[0].name
        self.shape = [d.dim_value for d in images[0].type.tensor_type.shape.dim]  # 0 is a size left open
        self.nodes = self.needed(graph)
        unknown = Counter(n.op for n in self.nodes if n.op not in OPERATORS)
        if unknown:
            raise ValueError(f"{path}: unknown operators {', '.join(f'{op} ({n})' for op, n in sorted(unknown.items()))}; "
                             "add them to operators.py")
        extra = [v for n in self.nodes for v in n.outputs[1:] if any(v in m.inputs for m in self.nodes)]
        if extra:
            raise ValueError(f"{path}: values {extra} are second outputs, only the first output of a node is computed")
        self.last_use = {v: i for i, n in enumerate(self.nodes) for v in n.inputs}
        self.find_parameters()

    def tensor(self, t):
        # A copy: numpy_helper's arrays are read-only, and one array may serve two names.
        v = torch.tensor(numpy_helper.to_array(t))
        return v.to(self.dtype) if v.is_floating_point() else v

    def needed(self, graph):
        """Returns the nodes that the logits depend on, and turns Constant nodes into constants."""
        self.logits = graph.output[0].name
        nodes, wanted = [], {self.logits}
        for n in reversed(graph.node):
            if not wanted.intersection(n.output):
                continue
            op = n.op_type if n.domain in ("", "ai.onnx") else f"{n.domain}.{n.op_type}"
            if op in ("Softmax", "LogSoftmax") and n.output[0] == self.logits:
                self.logits = n.input[0]
                wanted.add(self.logits)
                continue
            if op == "Constant":
                value, = attributes(n).values()
                if not isinstance(value, onnx.TensorProto):
                    value = numpy_helper.from_array(torch.tensor(value).numpy())
                self.constants[n.output[0]] = self.tensor(value)
                continue
            nodes.append(Node(n.name, op, attributes(n), list(n.input), [v for v in n.output if v]))
            wanted.update(n.input)
        return nodes[::-1]

    def find_parameters(self):
        """Sets parameters and statistics, both by name, and from_images: the values that depend on the input."""
        producer = {v: n for n in self.nodes for v in n.outputs}
        self.from_images, learned, trained, statistics = {self.image}, set(), [], []

        def single(v):
            while v in producer and producer[v].op == "Identity":
                v = producer[v].inputs[0]
            return v in self.constants and self.constants[v].numel() <= 1

        def spread(v, found):  # single numbers are part of the formula that computes v
            if v in self.constants:
                found += [v] if self.constants[v].is_floating_point() else []
                return
            inputs = [i for i in producer[v].inputs if i]
            for i in inputs:
                if len(inputs) == 1 or not single(i):
                    spread(i, found)

        def learned_by(n, v):  # v is what an elementwise node reads behind a weight
            while v in producer and producer[v].op in ("Identity", "Unsqueeze", "Reshape", "Transpose"):
                v = producer[v].inputs[0]
            if v not in self.constants:
                return True
            x = self.constants[v].numpy().ravel()
            if len(x) == 1:
                return v in self.initializers and bool(x[0] == 0 or x[0] == 1 and n.op in ("Mul", "Div") or not is_written(x[0]))
            return n.op in ("Add", "Mul") and (max(self.constants[v].shape) == len(x) or
                                               v in self.initializers and bool((x * 8 % 1).any() or (x == x[0]).all()))

        for n in self.nodes:
            if not self.from_images.intersection(n.inputs):
                continue
            self.from_images.update(n.outputs)
            elementwise = n.op in ("Add", "Mul", "Sub", "Div")
            behind = bool(learned.intersection(n.inputs))
            for i in TRAINED.get(n.op, ()):
                v = n.inputs[i] if i < len(n.inputs) else ""
                if v and v not in self.from_images and not (elementwise and not (behind and learned_by(n, v))):
                    spread(v, trained)
                    behind = True
            if n.op == "BatchNormalization":
                for i in STATISTICS:
                    spread(n.inputs[i], statistics)
            if behind:
                learned.update(n.outputs)
        both = sorted(set(statistics).intersection(trained))
        if both:
            raise ValueError(f"{self.path}: running statistics {both} are parameters, too")
        self.parameters = {v: self.constants[v].requires_grad_() for v in dict.fromkeys(trained)}
        self.statistics = {v: self.constants[v] for v in statistics}

    def check_names(self, names):
        unknown = [v for v in names if v not in self.constants]
        if unknown:
            raise ValueError(f"{self.path} has no initializers {unknown}")

    def train_only(self, names):
        """Makes the named constants what trains."""
        self.check_names(names)
        for v in self.parameters.values():
            v.requires_grad_(False)
        self.parameters = {v: self.constants[v].requires_grad_() for v in names}

    def freeze(self, names):
        """Takes constants out of what trains."""
        self.check_names(names)
        for v in names:
            if v in self.parameters:
                self.parameters.pop(v).requires_grad_(False)

    def __call__(self, images):
        """Returns the logits [N, classes] of images [N, C, ...]; in training, statistics move."""
        values = {"": None, **self.constants, self.image: images}
        for i, n in enumerate(self.nodes):
            inputs = [values[v] for v in n.inputs]
            try:
                if n.op == "Reshape" and n.inputs[0] in self.from_images:
                    inputs[1] = self.rebatch(n, inputs[1], len(images))
                values[n.outputs[0]] = OPERATORS[n.op](self, n.attributes, *inputs)
            except (RuntimeError, ValueError, TypeError, LookupError) as e:
                raise ValueError(f"running {n.op} {n.name or n.outputs[0]!r} of {self.path}: {e}") from e
            for v in n.inputs:
                if self.last_use[v] == i and v in self.from_images and v != self.logits:
                    values.pop(v, None)  # so that evaluation needs little memory
        logits = values[self.logits]
        if logits.dim() < 2 or logits[0].numel() != logits.shape[1] or len(logits) != len(images):
            raise ValueError(f"output {self.logits!r} of {self.path} has shape {list(logits.shape)} for {len(images)} images: "
                             "needs [N, classes]")
        return logits.flatten(1)

    def rebatch(self, n, shape, batch):
        """A file made for a fixed batch may name it in the targets of its Reshapes."""
        if n.inputs[1] in self.from_images or self.shape[0] in (0, batch) or int(shape[0]) != self.shape[0]:
            return shape
        return torch.cat([torch.tensor([batch]), shape[1:]])
