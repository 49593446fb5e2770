"""Losses of speech enhancement on masked spectra.

A loss takes the spectral graph and tensors of one batch, and returns a scalar: spectra ``estimate``
and ``target`` (batch, frames, bins), and the samples of ``clean`` speech.
"""

import math
from collections.abc import Callable

import tensorflow as tf

from tinyprune.training.spectral import SpectralGraph

Loss = Callable[[SpectralGraph, tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]
COMPRESSION = 0.3
SI_SDR_WEIGHT = 0.05  # per dB: brings the SI-SDR term to the size of the spectral one
CEILING = 1e-3  # 30 dB: what is better than that earns nothing more
SILENT = 1e-6  # mean power below which an excerpt has no speech


def si_sdr(
    graph: SpectralGraph, estimate: tf.Tensor, target: tf.Tensor, clean: tf.Tensor
) -> tf.Tensor:
    """Return the negative SI-SDR in dB of the synthesised signals, at most 30 dB.

    Le Roux et al. 2019, arXiv 1811.02508. Silent excerpts are left out.
    """
    del target
    signal = graph.synthesise(estimate)
    reference = graph.inner(clean)
    energy = tf.reduce_sum(reference**2, axis=1, keepdims=True)
    scaled = reference * tf.reduce_sum(signal * reference, axis=1, keepdims=True) / (energy + 1e-8)
    kept = tf.reduce_sum(scaled**2, axis=1) + 1e-8
    lost = tf.reduce_sum((scaled - signal) ** 2, axis=1) + 1e-8
    ratio = tf.math.log(kept / (lost + CEILING * kept)) * (10 / math.log(10))
    speech = tf.cast(tf.reduce_mean(reference**2, axis=1) > SILENT, tf.float32)
    return -tf.reduce_sum(ratio * speech) / tf.maximum(tf.reduce_sum(speech), 1)


def spectrum(
    graph: SpectralGraph, estimate: tf.Tensor, target: tf.Tensor, clean: tf.Tensor
) -> tf.Tensor:
    """Return the squared error of power-law compressed magnitudes and complex spectra.

    Braun and Tashev 2020. Excerpts are brought to the level of their clean speech first, so that
    quiet ones count as much as loud ones.
    """
    level = tf.sqrt(tf.reduce_mean(clean**2, axis=1))[:, None, None] + 1e-3
    magnitude, real, imaginary = _compressed(estimate, level)
    target_magnitude, target_real, target_imaginary = _compressed(target, level)
    distance = (real - target_real) ** 2 + (imaginary - target_imaginary) ** 2
    return tf.reduce_mean(0.7 * (magnitude - target_magnitude) ** 2 + 0.3 * distance)


def _compressed(spectrum: tf.Tensor, level: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Return the compressed magnitude of a spectrum, and its real and imaginary part at that."""
    real = tf.math.real(spectrum) / level
    imaginary = tf.math.imag(spectrum) / level
    size = tf.sqrt(real**2 + imaginary**2 + 1e-8)
    magnitude = size**COMPRESSION
    gain = magnitude / size
    return magnitude, real * gain, imaginary * gain


def combined(
    graph: SpectralGraph, estimate: tf.Tensor, target: tf.Tensor, clean: tf.Tensor
) -> tf.Tensor:
    """Return the sum of the spectral error and the SI-SDR at 0.05 per dB."""
    return spectrum(graph, estimate, target, clean) + SI_SDR_WEIGHT * si_sdr(
        graph, estimate, target, clean
    )
