"""The settings that a person chooses from, in words."""

import sys
from typing import Any

Option = tuple[Any, str, str]
"""A setting's value, what it is called, and what it means."""

STATISTICS: tuple[Option, ...] = (
    (
        "image",
        "From a sample of the image",
        (
            "Brightness and contrast inside the networks are measured once, on tiles sampled from "
            "the whole image. Fast, and the usual choice."
        ),
    ),
    (
        "whole",
        "From every pixel of the image",
        (
            "Gives exactly what translating the image in one piece would give. "
            "Slower for large images, and needs more memory."
        ),
    ),
    (
        "model",
        "From the training images",
        (
            "The same for every image, so that images can be compared with each other. Says so if "
            "an image is unlike those that the model was trained on."
        ),
    ),
    (
        "local",
        "From the surroundings of each place",
        "For a stain or an exposure that drifts over the image. Slower.",
    ),
)
DTYPES: tuple[Option, ...] = (
    ("float32", "32-bit floating point", "Nothing is rounded or clipped."),
    ("same", "As the layer", "Pixel values are rounded and clipped to the type of the layer."),
    ("uint16", "16-bit whole numbers", "Pixel values are rounded and clipped to 0 to 65535."),
    ("uint8", "8-bit whole numbers", "Pixel values are rounded and clipped to 0 to 255."),
)
MEMORY: tuple[Option, ...] = (
    (None, "2 GB", "The usual choice."),
    ("4 GB", "4 GB", "Fewer and larger pieces."),
    ("8 GB", "8 GB", "For statistics from every pixel of large images, without scratch files."),
    ("16 GB", "16 GB", "For statistics from every pixel of very large images."),
)
_AUTO: Option = ("auto", "Automatic", "A GPU where PyTorch can use one, else the CPU.")
_CPU: Option = ("cpu", "CPU", "Works everywhere.")
_CUDA: Option = ("cuda", "GPU (CUDA)", "An NVIDIA GPU, or an AMD one with PyTorch for ROCm.")
_MPS: Option = ("mps", "GPU (Apple)", "The GPU of a Mac with Apple silicon.")
# asking torch which there are would import it, which takes seconds
DEVICES: tuple[Option, ...] = (_AUTO, _CPU, _MPS if sys.platform == "darwin" else _CUDA)
