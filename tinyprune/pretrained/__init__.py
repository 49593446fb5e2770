"""The network that comes with tinyprune: a compressed speech denoiser in int8, ready to run.

Beside this file, made by ``python -m benchmarks.pretrained train`` and ``ship``::

    denoiser.tflite         the streaming graph, one frame per call
    denoiser.frontend.json  its front end, with every number that firmware needs
    denoiser.json           its record, with the Keras layer of every operator
    denoiser.quality.json   its scores on the test mixtures of docs/results.md
"""

from pathlib import Path

#: What it is called where a model is named; no variant of a run can have this name.
NAME = "pretrained"
#: As Hugging Face calls it: that of tinyprune.
LICENCE = "apache-2.0"
#: Where it is compiled into, a folder per target: an installed package is not written to.
COMPILED = Path("runs", NAME)


def denoiser() -> Path:
    """The int8 streaming graph, with its front end beside it."""
    return Path(__file__).with_name("denoiser.tflite")


def record() -> Path:
    """The record of the graph."""
    return denoiser().with_suffix(".json")


def qualities() -> Path:
    """The record of its scores, and of those of the noisy input."""
    return denoiser().with_suffix(".quality.json")
