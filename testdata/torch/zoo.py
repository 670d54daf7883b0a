"""Writes torchvision's classification models as ONNX files, as torch's own exporter makes them, with random weights
that depend on the seed alone. Needs Python 3 with torch 1.13 or later, torchvision and onnx.

    python3 zoo.py FOLDER [--models NAME,...] [--modes eval,folded,train] [--seed 0] [--size N] [--classes 10]

writes FOLDER/NAME.MODE.onnx and prints one path a line; without --models, one model of every family:

    eval    inference, with the BatchNorms kept
    folded  inference, with the BatchNorms folded into the convolutions before them (torch's default)
    train   training: BatchNorm and Dropout as they are in a training step, without stochastic depth

Images are [batch, 3, N, N] with a symbolic batch; N is small unless given, see MODELS. The heads of AlexNet and VGG get global pooling and hidden layers of 64, which leaves out 90 % of the weights.
"""
import argparse
import io
import os
import sys
import warnings

import onnx
import torch
import torchvision.models as zoo
from torchvision.ops import StochasticDepth

NARROW = 64

# One model of every family, and the size of its images.
MODELS = {
    "alexnet": 64,
    "convnext_tiny": 32,
    "densenet121": 32,
    "efficientnet_b0": 32,
    "googlenet": 32,
    "inception_v3": 96,
    "mnasnet0_5": 32,
    "mobilenet_v2": 32,
    "mobilenet_v3_small": 32,
    "regnet_x_400mf": 32,
    "regnet_y_400mf": 32,
    "resnet18": 32,
    "resnet50": 32,
    "resnext50_32x4d": 32,
    "shufflenet_v2_x0_5": 32,
    "squeezenet1_1": 32,
    "vgg11": 32,
    "vgg11_bn": 32,
    "wide_resnet50_2": 32,
}


def narrow_head(model, channels, classes):
    """Puts global pooling before a head with two hidden layers, and narrows these."""
    model.avgpool = torch.nn.AdaptiveAvgPool2d(1)
    linear = [i for i, layer in enumerate(model.classifier) if isinstance(layer, torch.nn.Linear)]
    widths = [channels, NARROW, NARROW, classes]
    for i, n_in, n_out in zip(linear, widths, widths[1:]):
        model.classifier[i] = torch.nn.Linear(n_in, n_out)


def build(name, seed, classes):
    """Returns the model with random weights, and with running statistics that are not 0 and 1."""
    torch.manual_seed(seed)
    options = {"init_weights": True} if name in ("googlenet", "inception_v3") else {}
    if options:
        options["aux_logits"] = False
    model = getattr(zoo, name)(num_classes=classes, **options)
    if name == "alexnet" or name.startswith("vgg"):
        narrow_head(model, channels=256 if name == "alexnet" else 512, classes=classes)
    for layer in model.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.running_mean.normal_(0, 0.1)
            layer.running_var.uniform_(0.5, 1.5)
        elif isinstance(layer, StochasticDepth):
            layer.p = 0  # the exporter has no random rows
    return model


def export(model, size, mode):
    """Returns the model as an ONNX protobuf's bytes; mode is one of the table above."""
    training = {"eval": torch.onnx.TrainingMode.PRESERVE, "folded": torch.onnx.TrainingMode.EVAL,
                "train": torch.onnx.TrainingMode.TRAINING}[mode]
    model.train(mode == "train")
    buffer = io.BytesIO()
    images = torch.randn(2, 3, size, size)
    torch.onnx.export(model, images, buffer, opset_version=16, training=training, do_constant_folding=mode == "folded",
                      input_names=["images"], output_names=["logits"], dynamic_axes={"images": {0: "batch"}, "logits": {0: "batch"}})
    return buffer.getvalue()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--modes", default="eval,folded,train")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--size", type=int, help="height and width of the images, instead of those in MODELS")
    parser.add_argument("--classes", type=int, default=10)
    args = parser.parse_args()
    unknown = [name for name in args.models.split(",") if name not in MODELS]
    if unknown:
        sys.exit(f"zoo: no such model: {', '.join(unknown)}; there are {', '.join(MODELS)}")
    warnings.simplefilter("ignore")
    os.makedirs(args.folder, exist_ok=True)
    for name in args.models.split(","):
        for mode in args.modes.split(","):
            path = os.path.join(args.folder, f"{name}.{mode}.onnx")
            with open(path, "wb") as f:
                f.write(export(build(name, args.seed, args.classes), args.size or MODELS[name], mode))
            onnx.checker.check_model(path)
            print(path, flush=True)


if __name__ == "__main__":
    main()
