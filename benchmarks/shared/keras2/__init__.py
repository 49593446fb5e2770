"""Opponents that need Keras 2, in a process of their own."""
