"""The front end of ``tinyprune.audio`` inside the training graph."""

import tensorflow as tf

from tinyprune.audio.conditioning import Conditioning
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

    def features(self, spectrum: tf.Tensor, signal: tf.Tensor) -> tf.Tensor:
        """Return normalised features (batch, frames, bands) of spectra (batch, frames, bins).

        Where the front end follows the level, that is the level of the ``signal`` that they are of.
        """
        mel = tf.tensordot(tf.abs(spectrum), self._mel, 1)
        if self.frontend.follows_level:
            mel *= self._gains(signal)[:, :, None]
        return (tf.pow(mel, self.frontend.power) - self._mean) / self._std

    def _gains(self, signal: tf.Tensor) -> tf.Tensor:
        """Return the gains (batch, frames) that a stream has, of signals as in :meth:`analyse`.

        The level after hop t is ``max over s <= t of decay^(t - s) p(s)``: see
        :meth:`tinyprune.audio.conditioning.Conditioning.gain`.
        """
        conditioning = Conditioning.of(self.frontend)
        usual_dbfs = conditioning.usual_dbfs or 0.0
        hops = tf.reshape(signal, (tf.shape(signal)[0], -1, self.frontend.hop))
        power = tf.reduce_mean(hops**2, axis=2)
        count = tf.range(tf.shape(power)[1])
        ages = count[:, None] - count[None, :]
        decay = tf.pow(conditioning.level_decay, tf.cast(tf.maximum(ages, 0), tf.float32))
        decay = tf.where(ages >= 0, decay, 0.0)
        level = tf.reduce_max(decay * power[:, None, :], axis=2)[:, 1:]
        gain = tf.sqrt(10 ** (usual_dbfs / 10) / tf.maximum(level, 1e-12))
        return tf.clip_by_value(gain, 1.0, 10 ** (conditioning.most_gain_db / 20))

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
