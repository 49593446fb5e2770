"""Compress Keras networks for Arm Ethos-U microNPUs: train, prune with int8 learning, export, compile, report."""

__version__ = "0.2.0"
