"""The settings of mixtures, what they are made of, and what comes out."""

from dataclasses import dataclass, fields

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
        speed: factor by which half of speech and noise is played faster; (1, 1): as they are.
        babble: fraction of the mixtures whose noise is other speakers of the same split.
        talkers: fraction whose noise is one other speaker, in the background.
        tilt_db: tilt of the spectrum of the speech, in dB per octave: vocal effort.
        colour_db: the most by which a microphone raises or lowers an octave.
        narrow, clipped: fractions that are limited to a narrow band, and clipped.
        clean_share: fraction without noise.
        max_attenuation_db: the most that noise is attenuated in what is learned; None: no limit.
        follow_level: whether features of training follow the level as those of a stream do.
    """

    snr_db: Range = (-6.0, 9.0)
    level_db: Range = (-35.0, -15.0)
    speed: Range = (1.0, 1.0)
    babble: float = 0.0
    talkers: float = 0.0
    tilt_db: Range = (0.0, 0.0)
    colour_db: float = 0.0
    narrow: float = 0.0
    clipped: float = 0.0
    clean_share: float = 0.0
    max_attenuation_db: float | None = None
    follow_level: bool = False

    @property
    def residual_noise(self) -> float:
        """The factor of the noise that is left in what is learned: ``10^(-limit / 20)``."""
        if self.max_attenuation_db is None:
            return 0.0
        return float(10 ** (-self.max_attenuation_db / 20))

    @classmethod
    def from_config(cls, config: MixedData) -> "Mixing":
        """Return the settings that a configuration of the data has."""
        names = [field.name for field in fields(cls)]
        return cls(**{name: getattr(config, name) for name in names})

    def differences(self) -> list[str]:
        """Return the settings other than the SNR that are not at their defaults, as text.

        They came after the first fingerprints: at their defaults those stay valid.
        """
        changed = []
        for name, value in vars(self).items():
            if name != "snr_db" and value != getattr(Mixing, name):
                changed.append(f"{name}={value}")
        return changed
