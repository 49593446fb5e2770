"""The front end of ``tinyprune.audio`` inside the training graph."""

import tensorflow as tf

from tinyprune.audio.frontend import FrontEnd
from tinyprune.audio.stft import hann, synthesis_window


class SpectralGraph:
    """STFT, features and masked synthesis of batches of excerpts, differentiable.

    Excerpts have ``(frames + 1) * hop`` samples and are not padded: their first and last hop lie in
    one frame only, so they are left out where a signal is compared.

    Attributes:
        frontend: framing, mel bands and normalisation.
    """

    def __init__(self, frontend: FrontEnd) -> None:
        self.frontend = frontend
        self._window = tf.constant(hann(frontend.frame))
        self._synthesis = tf.constant(synthesis_window(frontend.frame))
        self._mel = tf.constant(frontend.mel())
        self._spread = tf.constant(frontend.spread())
        self._mean = tf.constant(frontend.mean)
        self._std = tf.constant(frontend.std)

    def analyse(self, signal: tf.Tensor) -> tf.Tensor:
        """Return spectra (batch, frames, bins) of signals (batch, (frames + 1) * hop)."""
        halves = tf.reshape(signal, (tf.shape(signal)[0], -1, self.frontend.hop))
        return tf.signal.rfft(tf.concat([halves[:, :-1], halves[:, 1:]], axis=2) * self._window)

    def features(self, spectrum: tf.Tensor) -> tf.Tensor:
        """Return normalised features (batch, frames, bands) of spectra (batch, frames, bins)."""
        mel = tf.tensordot(tf.abs(spectrum), self._mel, 1)
        return (tf.pow(mel, self.frontend.power) - self._mean) / self._std

    def apply(self, mask: tf.Tensor, spectrum: tf.Tensor) -> tf.Tensor:
        """Return spectra masked by a mel mask (batch, frames, bands) spread over the bins."""
        gain = tf.tensordot(mask, self._spread, 1)
        return tf.complex(tf.math.real(spectrum) * gain, tf.math.imag(spectrum) * gain)

    def synthesise(self, spectrum: tf.Tensor) -> tf.Tensor:
        """Return inner samples (batch, (frames - 1) * hop) of spectra (batch, frames, bins).

        See :meth:`inner`.
        """
        frames = tf.signal.irfft(spectrum, [self.frontend.frame]) * self._synthesis
        first, second = tf.split(frames, 2, axis=2)
        return tf.reshape(second[:, :-1] + first[:, 1:], (tf.shape(frames)[0], -1))

    def inner(self, signal: tf.Tensor) -> tf.Tensor:
        """Return the samples of signals (batch, (frames + 1) * hop) that lie in two frames."""
        return signal[:, self.frontend.hop : -self.frontend.hop]
