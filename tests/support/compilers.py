"""Compilers that tests of generated C need."""

import shutil

import pytest

needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
needs_gxx = pytest.mark.skipif(shutil.which("g++") is None, reason="g++ is not installed")
needs_qemu = pytest.mark.skipif(
    not all(map(shutil.which, ("make", "arm-none-eabi-gcc", "qemu-system-arm"))),
    reason="arm-none-eabi-gcc with picolibc or qemu-system-arm is not installed",
)
