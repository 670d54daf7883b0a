"""Makes the files beside it with Pillow: python3 make.py

NAME.jpg is a picture of 23x37 (height x width), NAME.png holds the pixels that Pillow reads from it as RGB.
"""
import numpy as np
from PIL import Image

height, width = 23, 37
y, x = np.mgrid[:height, :width]
noise = np.random.default_rng(1).integers(0, 60, (height, width, 3))
pixels = np.stack([x * 5, y * 8, (x // 4 + y // 3) % 2 * 190], axis=2) + noise
picture = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def segment(data, marker):
    """Where the segment of a marker begins and ends."""
    start = data.index(bytes([0xFF, marker]))
    return start, start + 2 + int.from_bytes(data[start + 2 : start + 4], "big")


def without(data, marker):
    start, end = segment(data, marker)
    return data[:start] + data[end:]


def adobe(transform):
    return b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00" + bytes([transform])


def as_rgb(data):
    """With Adobe's segment in JFIF's place, which says that the components are red, green and blue."""
    start, end = segment(data, 0xE0)
    return data[:start] + adobe(0) + data[end:]


def as_ycck(data):
    start, end = segment(data, 0xEE)
    return data[:start] + adobe(2) + data[end:]


def same(data):
    return data


cases = [
    ("444", "RGB", same, {"subsampling": 0}),
    ("422", "RGB", same, {"subsampling": 1}),
    ("420", "RGB", same, {"subsampling": 2}),
    ("420-progressive", "RGB", same, {"subsampling": 2, "progressive": True}),
    ("gray", "L", same, {}),
    ("gray-progressive", "L", same, {"progressive": True}),
    ("rgb", "RGB", as_rgb, {"subsampling": 0}),
    ("cmyk", "CMYK", same, {"subsampling": 0}),
    ("cmyk-no-adobe", "CMYK", lambda data: without(data, 0xEE), {"subsampling": 2}),
    ("ycck", "CMYK", as_ycck, {"subsampling": 1, "progressive": True}),
]
for name, mode, change, options in cases:
    picture.convert(mode).save(name + ".jpg", quality=92, **options)
    with open(name + ".jpg", "rb") as f:
        data = change(f.read())
    with open(name + ".jpg", "wb") as f:
        f.write(data)
    Image.open(name + ".jpg").convert("RGB").save(name + ".png", optimize=True)
