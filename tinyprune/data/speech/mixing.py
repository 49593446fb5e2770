"""The settings of mixtures, what they are made of, and what comes out."""

from dataclasses import dataclass

from tinyprune.array_types import Float32Array
from tinyprune.config.data import MixedData
from tinyprune.data.clips import ClipStore

SILENCE_RMS = 1e-4
Range = tuple[float, float]


@dataclass(frozen=True)
class NoisyUtterance:
    """A noisy utterance and its clean speech: a mixture, or a pair of recordings.

    Attributes:
        name: speech and noise clip. snr_db: nominal. category: of the noise.
        noisy, clean: samples (n,), 16 kHz.
        speaker: of the speech; empty if unknown.
    """

    name: str
    snr_db: float
    category: str
    noisy: Float32Array
    clean: Float32Array
    speaker: str = ""


@dataclass(frozen=True)
class SpeechAndNoise:
    """The clips of one split that are mixed.

    Attributes:
        speech, noise: clips. rirs: impulse responses of the rooms; None where there are none.
    """

    speech: ClipStore
    noise: ClipStore
    rirs: ClipStore | None = None


@dataclass(frozen=True)
class Mixing:
    """The settings of training mixtures; each value is drawn evenly from its range (low, high).

    Attributes:
        snr_db: level of the speech over that of the noise.
        level_db: of the speech, relative to full scale.
        speed: factor by which speech and noise are played faster; (1, 1): as they are.
        babble: fraction of the mixtures whose noise is other speakers of the same split.
    """

    snr_db: Range = (-6.0, 9.0)
    level_db: Range = (-35.0, -15.0)
    speed: Range = (1.0, 1.0)
    babble: float = 0.0

    @classmethod
    def from_config(cls, config: MixedData) -> "Mixing":
        """Return the settings that a configuration of the data has."""
        return cls(config.snr_db, config.level_db, config.speed, config.babble)

    def differences(self) -> list[str]:
        """Return the settings other than the SNR that are not at their defaults, as text.

        They came after the first fingerprints: at their defaults those stay valid.
        """
        changed = []
        for name, value in vars(self).items():
            if name != "snr_db" and value != getattr(Mixing, name):
                changed.append(f"{name}={value}")
        return changed
