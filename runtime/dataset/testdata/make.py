"""Makes the files beside it with NumPy and Pillow: python3 make.py

numpy.npz     two splits; pixel i of the array in memory order is i % 251, label i is i % 3
source.png    an RGB image of 23x37 (height x width)
HxW-SHORT.png source.png with its short side scaled to SHORT, then the middle HxW cut out, in the steps of
              torchvision's Resize and CenterCrop
"""
import numpy as np
from PIL import Image


def counting(*shape):
    return (np.arange(np.prod(shape)) % 251).reshape(shape)


np.savez_compressed(
    "numpy.npz",
    x_train=counting(4, 5, 6, 3).astype(np.uint8),
    y_train=np.arange(4) % 3,
    x_test=(counting(2, 3, 5, 6) / 255).astype(np.float32),
    y_test=(np.arange(2) % 3).astype(np.uint8).reshape(2, 1),
)

height, width = 23, 37
y, x = np.mgrid[:height, :width]
noise = np.random.default_rng(1).integers(0, 60, (height, width, 3))
pixels = np.stack([x * 5, y * 8, (x // 4 + y // 3) % 2 * 190], axis=2) + noise
source = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
source.save("source.png")

for h, w, short in [(8, 8, 8), (16, 12, 20), (23, 23, 23), (40, 48, 41), (60, 30, 60)]:
    scaled_h, scaled_w = short, short * width // height
    top, left = round((scaled_h - h) / 2), round((scaled_w - w) / 2)
    scaled = source.resize((scaled_w, scaled_h), Image.BILINEAR)
    scaled.crop((left, top, left + w, top + h)).save(f"{h}x{w}-{short}.png")
