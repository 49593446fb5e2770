"""The resource summary of a run: every variant on one target."""

from dataclasses import dataclass

from tinyprune.artifacts.network import TFLiteArtifact
from tinyprune.artifacts.quality import Quality
from tinyprune.artifacts.resources import NpuTarget, ResourceReport


@dataclass(frozen=True)
class VariantSummary:
    """One row of the resource summary.

    Attributes:
        name: variant, "baseline" or e.g. "weight-0.80".
        parameters: weights and biases of the Keras model.
        sparsity: fraction of zeros over all weights in the flatbuffer, measured there.
        quality: of the int8 graph that the device runs, on dev.
        tflite: the exported model.
        report: what it costs on the target.
    """

    name: str
    parameters: int
    sparsity: float
    quality: Quality
    tflite: TFLiteArtifact
    report: ResourceReport

    @property
    def seconds_per_frame(self) -> float:
        """Time of one inference over the frames that it works off."""
        return self.report.inference_seconds / self.tflite.frames


@dataclass(frozen=True)
class RunSummary:
    """Every variant of a run on one target; the first is the baseline.

    Attributes:
        schema: version of this record (report/model/record.py).
        target: what it was compiled for.
        hop_seconds: time between two inferences in streaming use; None where the network does not
            stream.
        noisy: quality of the unprocessed input, on the same split; None where an input has none.
        variants: baseline first, then in order of creation.
    """

    schema: int
    target: NpuTarget
    hop_seconds: float | None
    noisy: Quality | None
    variants: tuple[VariantSummary, ...]
