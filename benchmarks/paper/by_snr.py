"""What a network does to mixtures of any SNR, also far outside of those that it learned from."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tinyprune.data.speech.evaluation_data import EvaluationData
from tinyprune.data.speech.test_set import MixRequest, MixSource, write_set
from tinyprune.metrics.evaluation import Row, evaluation
from tinyprune.stages.evaluate import evaluate_models
from tinyprune.stages.model_reference import EvaluationRequest

METRIC = "si_sdr_db"
SNRS_DB, EACH = (-12.0, -6.0, 0.0, 6.0, 12.0, 18.0, 24.0, 30.0), 24


@dataclass(frozen=True)
class BySnr:
    """Mean METRIC by SNR in dB, as text. Attributes: items: mixtures of each. noisy, enhanced: before and after."""

    items: int
    noisy: dict[str, float]
    enhanced: dict[str, float]


def measure(network: Path, speech: Sequence[Path], noise: Sequence[Path]) -> BySnr:
    """Score a streaming ``.tflite`` on mixtures of folders, EACH at every one of SNRS_DB."""
    with tempfile.TemporaryDirectory(prefix="tinyprune-") as folder:
        mixtures = Path(folder) / "mixtures"
        write_set(
            mixtures,
            MixSource(tuple(speech), tuple(noise)),
            MixRequest(SNRS_DB, EACH * len(SNRS_DB)),
        )
        asked = EvaluationRequest("test", (METRIC,), EvaluationData(path=str(mixtures)))
        noisy, enhanced = evaluation(evaluate_models(Path(folder), [str(network)], asked)).rows
    return BySnr(EACH, _means(noisy), _means(enhanced))


def _means(row: Row) -> dict[str, float]:
    found = {snr: figures[METRIC].value for snr, figures in row.by_snr.items()}
    return {snr: value.mean for snr, value in found.items() if value}
