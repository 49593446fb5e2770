"""Losses of speech enhancement on masked spectra. All take tensors of one batch and return a scalar."""

import math
from collections.abc import Callable

import tensorflow as tf

from tinyprune.errors import unknown_name
from tinyprune.training.spectral import SpectralGraph

Loss = Callable[[SpectralGraph, tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]
COMPRESSION = 0.3
SI_SDR_WEIGHT = 0.05  # per dB: brings the SI-SDR term to the size of the spectral one
CEILING = 1e-3  # 30 dB: what is better than that earns nothing more
SILENT = 1e-6  # mean power below which an excerpt has no speech


def si_sdr(
    graph: SpectralGraph, estimate: tf.Tensor, target: tf.Tensor, clean: tf.Tensor
) -> tf.Tensor:
    """Negative SI-SDR in dB (Le Roux et al. 2019) of the synthesised signals, at most 30 dB; skips silent excerpts."""
    del target
    signal, reference = graph.synthesise(estimate), graph.inner(clean)
    energy = tf.reduce_sum(reference**2, axis=1, keepdims=True)
    scaled = reference * tf.reduce_sum(signal * reference, axis=1, keepdims=True) / (energy + 1e-8)
    kept, lost = (tf.reduce_sum(x**2, axis=1) + 1e-8 for x in (scaled, scaled - signal))
    ratio = tf.math.log(kept / (lost + CEILING * kept)) * (10 / math.log(10))
    speech = tf.cast(tf.reduce_mean(reference**2, axis=1) > SILENT, tf.float32)
    return -tf.reduce_sum(ratio * speech) / tf.maximum(tf.reduce_sum(speech), 1)


def spectrum(
    graph: SpectralGraph, estimate: tf.Tensor, target: tf.Tensor, clean: tf.Tensor
) -> tf.Tensor:
    """Squared error of power-law compressed magnitudes and of compressed complex spectra (Braun & Tashev 2020).

    Excerpts are brought to the level of their clean speech first, so that quiet ones count as much
    as loud ones.
    """
    level = tf.sqrt(tf.reduce_mean(clean**2, axis=1))[:, None, None] + 1e-3
    parts = [(tf.math.real(x) / level, tf.math.imag(x) / level) for x in (estimate, target)]
    sizes = [tf.sqrt(real**2 + imaginary**2 + 1e-8) for real, imaginary in parts]
    magnitudes = [size**COMPRESSION for size in sizes]
    gains = [magnitude / size for magnitude, size in zip(magnitudes, sizes, strict=True)]
    distance = sum((e * gains[0] - t * gains[1]) ** 2 for e, t in zip(*parts, strict=True))
    return tf.reduce_mean(0.7 * (magnitudes[0] - magnitudes[1]) ** 2 + 0.3 * distance)


def combined(
    graph: SpectralGraph, estimate: tf.Tensor, target: tf.Tensor, clean: tf.Tensor
) -> tf.Tensor:
    """Both: the spectral error, and the SI-SDR at 0.05 per dB."""
    return spectrum(graph, estimate, target, clean) + SI_SDR_WEIGHT * si_sdr(
        graph, estimate, target, clean
    )


LOSSES: dict[str, Loss] = {"si-sdr": si_sdr, "spectrum": spectrum, "combined": combined}


def by_name(name: str) -> Loss:
    """A loss by its name. Raises UsageError that lists the names that exist."""
    if name not in LOSSES:
        raise unknown_name("loss", name, LOSSES)
    return LOSSES[name]
