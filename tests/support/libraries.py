"""What a process that others are forked from loads first. Nothing is computed: TensorFlow makes no thread."""

import importlib

LOADED = (
    "keras",
    "tensorflow",
    "tinyprune.cli",
    "tinyprune.stages.compile",
    "tinyprune.stages.evaluate",
    "tinyprune.stages.prune",
    "tinyprune.stages.train",
)

for name in LOADED:
    importlib.import_module(name)
