"""What a mixture is, what it is made of, and how."""

from dataclasses import dataclass

from tinyprune.array_types import Float32Array
from tinyprune.config import DataConfig
from tinyprune.data.clips import ClipStore

SAMPLE_RATE = 16_000
SILENCE_RMS = 1e-4
Range = tuple[float, float]


@dataclass(frozen=True)
class Mixture:
    """A noisy utterance and its clean speech.

    Attributes:
        name: speech and noise clip. snr_db: of the mixture, nominal. category: of the noise.
        noisy, clean: samples (n,), 16 kHz.
        speaker: who speaks; empty if unknown.
    """

    name: str
    snr_db: float
    category: str
    noisy: Float32Array
    clean: Float32Array
    speaker: str = ""


@dataclass(frozen=True)
class Split:
    """Speech and noise of one split. Attributes: speech; noise; rirs: impulse responses of the rooms, if there are."""

    speech: ClipStore
    noise: ClipStore
    rirs: ClipStore | None = None


@dataclass(frozen=True)
class Mixing:
    """How training mixtures are made; each value is drawn evenly from its range (low, high).

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
    def of(cls, config: DataConfig) -> "Mixing":
        """What the configuration of the data says about it."""
        return cls(config.snr_db, config.level_db, config.speed, config.babble)

    def differences(self) -> list[str]:
        """The settings that came later and are not at their defaults, as text."""
        others = [
            name
            for name in vars(self)
            if name != "snr_db" and getattr(self, name) != getattr(Mixing, name)
        ]
        return [f"{name}={getattr(self, name)}" for name in others]
