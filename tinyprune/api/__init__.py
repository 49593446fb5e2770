"""The Python API: pruners for training loops of one's own, export, compilation, and finished runs.

``import tinyprune`` gives all of it; each name is loaded when it is first used.
"""
