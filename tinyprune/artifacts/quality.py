"""The purpose of a run's networks, and how well one form of a network serves it."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class TaskRecord:
    """The task of the networks of a run.

    Attributes:
        name: "speech" or "classification".
        metric: the one that chooses the best epoch (registry.METRICS).
        forms: int8 graphs that are exported; the first is the one that the device runs.
        hop_seconds: time between two inferences in streaming use; None where the network does not
            stream.
        classes: names of what is told apart; empty where nothing is.
    """

    name: str
    metric: str
    forms: tuple[str, ...]
    hop_seconds: float | None = None
    classes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Quality:
    """The quality of one form of a network on one split.

    Attributes:
        form: "noisy" (the unprocessed input), "float", or an int8 graph: "streaming", "sequence",
            "int8".
        split: "dev" or "test".
        utterances: how many utterances or examples were scored; undefined: how many were left out
            (silence).
        metrics: metric name (registry.METRICS) -> its value, of utterances the mean.
        by_snr: nominal input SNR in dB, as text -> the same per SNR.
        half_widths: metric name -> half of the 95 % interval of its mean over the items; those
            without one are left out, and records of before have none.
        engine: name of what computed an int8 graph; empty for other forms, and in records of
            before.
    """

    form: str
    split: str
    utterances: int
    undefined: int
    metrics: dict[str, float]
    by_snr: dict[str, dict[str, float]] = field(default_factory=dict)
    half_widths: dict[str, float] = field(default_factory=dict)
    engine: str = ""


def graph_in_words(form: str) -> str:
    """Return how a sentence calls an int8 graph of that form."""
    return form if form == "int8" else f"int8 {form}"


def by_engine(engine: str) -> str:
    """Return " by TFLM", to be put behind the name of a graph; empty for no engine."""
    return f" by {engine}" if engine else ""
