#!/usr/bin/env python3
"""Makes the models of this folder, with the onnx package: python3 make.py"""
import os

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

os.chdir(os.path.dirname(os.path.abspath(__file__)))


def save(name, nodes, inputs, outputs, initializers=(), **options):
    graph = helper.make_graph(nodes, name, inputs, outputs, initializers)
    model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 15)])
    onnx.save_model(model, name + ".onnx", **options)


# Outputs of which ONNX Runtime knows no rank before a run, beside scalars.
save(
    "ranks",
    [
        helper.make_node("Reshape", ["x", "shape"], ["reshaped"]),
        helper.make_node("ReduceSum", ["x"], ["sum"], keepdims=0),
        helper.make_node("Reshape", ["sum", "shape"], ["one"]),
        helper.make_node("ReduceSum", ["reshaped"], ["total"], keepdims=0),
    ],
    [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n"]),
        helper.make_tensor_value_info("shape", TensorProto.INT64, ["rank"]),
    ],
    [
        helper.make_tensor_value_info("reshaped", TensorProto.FLOAT, None),
        helper.make_tensor_value_info("sum", TensorProto.FLOAT, []),
        helper.make_tensor_value_info("one", TensorProto.FLOAT, None),
        helper.make_tensor_value_info("total", TensorProto.FLOAT, None),
    ],
)

# Weights in a file beside the model.
save(
    "external",
    [helper.make_node("Add", ["x", "w"], ["y"])],
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, [4])],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, [4])],
    [numpy_helper.from_array(np.array([1, 2, 3, 4], np.float32), "w")],
    save_as_external_data=True,
    location="external.data",
    size_threshold=0,
)

# An output that is not a tensor, beside one that is.
save(
    "sequence",
    [
        helper.make_node("SequenceConstruct", ["x", "x"], ["list"]),
        helper.make_node("Neg", ["x"], ["y"]),
    ],
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2])],
    [
        helper.make_tensor_sequence_value_info("list", TensorProto.FLOAT, [2]),
        helper.make_tensor_value_info("y", TensorProto.FLOAT, [2]),
    ],
)
