"""ONNX operators in torch, opset 7 to 18: each takes the network, the node's attributes and its inputs."""
import math

import torch
import torch.nn.functional as F
from onnx import TensorProto

BY_RANK = {
    "conv": {1: F.conv1d, 2: F.conv2d, 3: F.conv3d},
    "max": {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d},
    "avg": {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d},
}


def window(a, x, kernel):
    """Returns strides, dilations, and the padding before and after each spatial dimension."""
    rank, auto = x.dim() - 2, a.get("auto_pad", "NOTSET")
    strides, dilations = a.get("strides", [1] * rank), a.get("dilations", [1] * rank)
    if auto in ("", "NOTSET"):
        pads = a.get("pads", [0] * 2 * rank)
        return strides, dilations, pads[:rank], pads[rank:]
    begin, end = [0] * rank, [0] * rank
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        for i, (n, k, s, d) in enumerate(zip(x.shape[2:], kernel, strides, dilations)):
            total = max(0, (math.ceil(n / s) - 1) * s + d * (k - 1) + 1 - n)
            small, large = total // 2, total - total // 2
            begin[i], end[i] = (small, large) if auto == "SAME_UPPER" else (large, small)
    elif auto != "VALID":
        raise ValueError(f"auto_pad {auto!r} is unknown")
    return strides, dilations, begin, end


def pad(x, begin, end, value=0.0):
    """Pads the last dimensions; torch wants the last one first."""
    if not any(begin) and not any(end):
        return x
    return F.pad(x, [p for pair in zip(reversed(begin), reversed(end)) for p in pair], value=value)


def constant_pad(net, a, x, pads=None, value=None):
    if a.get("mode", "constant") != "constant":
        raise ValueError(f"mode {a['mode']} is not supported, only constant")
    pads = a["pads"] if pads is None else pads.tolist()
    return pad(x, pads[:x.dim()], pads[x.dim():], a.get("value", 0.0) if value is None else value.item())


def conv(net, a, x, w, b=None):
    strides, dilations, begin, end = window(a, x, w.shape[2:])
    if begin != end or min(begin) < 0:
        x, begin = pad(x, begin, end), [0] * len(begin)
    return BY_RANK["conv"][x.dim() - 2](x, w, b, strides, begin, dilations, a.get("group", 1))


def ceiling(x, kernel, strides, dilations, begin, end):
    """Returns the end padding that makes room for the windows of ceil_mode: those that start inside."""
    longer = []
    for n, k, s, d, p, q in zip(x.shape[2:], kernel, strides, dilations, begin, end):
        extent = d * (k - 1) + 1
        last = math.ceil((n + p + q - extent) / s) * s
        if last >= n + p:
            last -= s
        longer.append(max(q, last + extent - n - p))
    return longer


def max_pool(net, a, x):
    kernel = a["kernel_shape"]
    strides, dilations, begin, end = window(a, x, kernel)
    if a.get("ceil_mode", 0):
        end = ceiling(x, kernel, strides, dilations, begin, end)
    if begin != end or any(p < 0 or 2 * p > k for p, k in zip(begin, kernel)):  # what torch's own padding cannot do
        x, begin = pad(x, begin, end, -math.inf), [0] * len(begin)
    return BY_RANK["max"][x.dim() - 2](x, kernel, strides, begin, dilations)


def average_pool(net, a, x):
    """Divides by the number of elements in the window, padding included only if the node says so."""
    kernel, included = a["kernel_shape"], a.get("count_include_pad", 0)
    strides, dilations, begin, end = window(a, x, kernel)
    counted = pad(torch.ones_like(x[:1, :1]), begin, end, float(included))
    if a.get("ceil_mode", 0):
        if included:  # runtimes disagree about what counts beyond the padding
            raise ValueError("ceil_mode together with count_include_pad is not supported")
        longer = ceiling(x, kernel, strides, dilations, begin, end)
        counted, end = pad(counted, [0] * len(end), [q - p for p, q in zip(end, longer)]), longer
    average = BY_RANK["avg"][x.dim() - 2]
    return average(pad(x, begin, end), kernel, strides) / average(counted, kernel, strides)


def batch_norm(net, a, x, scale, shift, mean, variance):
    return F.batch_norm(x, mean, variance, scale, shift, net.training, 1 - a.get("momentum", 0.9), a.get("epsilon", 1e-5))


def gemm(net, a, x, y, c=None):
    x, y = (x.T if a.get("transA", 0) else x), (y.T if a.get("transB", 0) else y)
    product = a.get("alpha", 1.0) * (x @ y)
    return product if c is None else product + a.get("beta", 1.0) * c


def flatten(net, a, x):
    axis = a.get("axis", 1)
    axis = axis if axis >= 0 else axis + x.dim()
    return x.reshape(math.prod(x.shape[:axis]), -1)


def reshape(net, a, x, shape):
    sizes = shape.tolist()
    return x.reshape([x.shape[i] if n == 0 and not a.get("allowzero", 0) else n for i, n in enumerate(sizes)])


def axes_of(a, axes, x):
    """Axes are an attribute in old operator sets, an input in new ones; None is all."""
    return axes.tolist() if axes is not None else a.get("axes", list(range(x.dim())))


def reduce_mean(net, a, x, axes=None):
    if a.get("noop_with_empty_axes", 0) and axes is None:
        return x
    return x.mean(axes_of(a, axes, x), keepdim=bool(a.get("keepdims", 1)))


def squeeze(net, a, x, axes=None):
    if axes is None and "axes" not in a:
        return x.squeeze()
    dropped = [i % x.dim() for i in axes_of(a, axes, x)]
    return x.reshape([n for i, n in enumerate(x.shape) if i not in dropped])


def unsqueeze(net, a, x, axes=None):
    axes = axes_of(a, axes, x)
    for i in sorted(i % (x.dim() + len(axes)) for i in axes):
        x = x.unsqueeze(i)
    return x


def gather(net, a, x, index):
    axis = a.get("axis", 0) % x.dim()
    taken = x.index_select(axis, index.reshape(-1) % x.shape[axis])
    return taken.reshape(x.shape[:axis] + index.shape + x.shape[axis + 1:])


def clip(net, a, x, low=None, high=None):
    low, high = a.get("min") if low is None else low.item(), a.get("max") if high is None else high.item()
    if low is None or high is None or low > high or not x.is_floating_point():
        return x if low is None and high is None else x.clamp(low, high)
    return F.hardtanh(x, low, high)  # as in ReLU6: no gradient at the bounds, where clamp has one


def softmax(net, a, x):
    if net.opset >= 13:
        return x.softmax(a.get("axis", -1))
    return flatten(net, a, x).softmax(1).reshape(x.shape)


def divide(net, a, x, y):
    return x / y if x.is_floating_point() else torch.div(x, y, rounding_mode="trunc")


def slices(net, a, x, starts=None, ends=None, axes=None, steps=None):
    starts, ends = (a[k] if v is None else v.tolist() for k, v in (("starts", starts), ("ends", ends)))
    axes = a.get("axes", range(len(starts))) if axes is None else axes.tolist()
    steps = [1] * len(starts) if steps is None else steps.tolist()
    if min(steps) < 1:
        raise ValueError(f"steps {steps} are not supported, only steps above 0")
    index = [slice(None)] * x.dim()
    for axis, start, end, step in zip(axes, starts, ends, steps):
        index[axis] = slice(start, end, step)
    return x[tuple(index)]


INTEGERS = {TensorProto.INT32: torch.int32, TensorProto.INT64: torch.int64, TensorProto.BOOL: torch.bool}


def cast(net, a, x):
    return x.to(INTEGERS.get(a["to"], net.dtype))  # all floating-point numbers are of the network's type


OPERATORS = {
    "Add": lambda net, a, x, y: x + y,
    "AveragePool": average_pool,
    "BatchNormalization": batch_norm,
    "Cast": cast,
    "Clip": clip,
    "Concat": lambda net, a, *x: torch.cat(x, a["axis"]),
    "Conv": conv,
    "Div": divide,
    "Dropout": lambda net, a, x, *_: x,  # as in evaluation, so that a run is reproducible
    "Erf": lambda net, a, x: x.erf(),
    "Flatten": flatten,
    "Gather": gather,
    "Gemm": gemm,
    "GlobalAveragePool": lambda net, a, x: x.mean(list(range(2, x.dim())), keepdim=True),
    "HardSigmoid": lambda net, a, x: F.hardtanh(a.get("alpha", 0.2) * x + a.get("beta", 0.5), 0.0, 1.0),
    "HardSwish": lambda net, a, x: F.hardswish(x),
    "Identity": lambda net, a, x: x,
    "MatMul": lambda net, a, x, y: x @ y,
    "MaxPool": max_pool,
    "Mul": lambda net, a, x, y: x * y,
    "ReduceMean": reduce_mean,
    "Pad": constant_pad,
    "Pow": lambda net, a, x, y: (x ** y).to(x.dtype),
    "Relu": lambda net, a, x: F.relu(x),
    "Reshape": reshape,
    "Shape": lambda net, a, x: torch.tensor(x.shape[a.get("start", 0):a.get("end", x.dim())]),
    "Sigmoid": lambda net, a, x: x.sigmoid(),
    "Slice": slices,
    "Softmax": softmax,
    "Sqrt": lambda net, a, x: x.sqrt(),
    "Squeeze": squeeze,
    "Sub": lambda net, a, x, y: x - y,
    "Transpose": lambda net, a, x: x.permute(a.get("perm", list(range(x.dim()))[::-1])),
    "Unsqueeze": unsqueeze,
}
