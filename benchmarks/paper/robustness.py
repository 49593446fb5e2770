"""The network of a card under all conditions of ``tinyprune evaluate --sweep all``."""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tinyprune import pretrained
from tinyprune.config.values import one_or_several
from tinyprune.data.speech.evaluation_data import EvaluationData
from tinyprune.data.speech.sweeps import ALL
from tinyprune.metrics.sweep import SweepReport, report
from tinyprune.stages.model_reference import EvaluationRequest
from tinyprune.stages.sweep import SweepRequest, sweep_models

SPLIT = "dev"


def measure(network: Path, speech: Sequence[Path], noise: Sequence[Path]) -> SweepReport:
    """Sweep a streaming ``.tflite`` on mixtures of folders of dev, under the name of what is shipped."""
    data = EvaluationData(
        test_speech=one_or_several(list(map(str, speech))),
        test_noise=one_or_several(list(map(str, noise))),
    )
    with tempfile.TemporaryDirectory(prefix="tinyprune-") as nowhere:
        asked = EvaluationRequest("test", data=data)
        swept = sweep_models(Path(nowhere), [str(network)], asked, SweepRequest((ALL,)))
    return report([replace(file, model=pretrained.NAME) for file in swept], SPLIT)
