"""What flows between the stages: frozen dataclasses, the unit of every number in its name."""

from dataclasses import dataclass, field
from pathlib import Path

from tinyprune.resources import NpuTarget, ResourceReport


@dataclass(frozen=True)
class LayerPlan:
    """What happens to one kernel.

    Attributes:
        layer: name of the Keras layer.
        kernel: attribute of the layer that holds the kernel ("kernel", "recurrent_kernel").
        shape: shape of the kernel, in Keras axis order.
        structure: "weight", "block 16x16", "2:4" or "unit".
        method: how groups are chosen, "magnitude" or "differentiable".
        groups: number of groups that the structure makes of the kernel.
        final_sparsity: fraction of the groups that is masked at the end; under a global scope, of all layers together
            that have the same structure and sparsity.
        layout: how the axes of the kernel lie (sparsity/layout.py).
        note: what a person should know, or empty.
    """

    layer: str
    kernel: str
    shape: tuple[int, ...]
    structure: str
    method: str
    groups: int
    final_sparsity: float
    layout: str = "standard"
    note: str = ""

    @property
    def key(self) -> str:
        """``layer/kernel``, the name of this kernel in masks and reports."""
        return f"{self.layer}/{self.kernel}"


@dataclass(frozen=True)
class PruningPlan:
    """Per-kernel plans of one pruning, and why the other layers are left alone.

    Attributes:
        layers: one plan per kernel that is pruned, in the order of the network.
        skipped: layer name -> reason.
        scope: "global" (groups of all kernels ranked together) or "layer" (each kernel on its own).
        schedule: name of the schedule (registry.SCHEDULES).
        sparsity: final sparsity where no layer has its own, fraction in [0, 1).
        importance: name of what groups are ranked by (registry.IMPORTANCES).
        begin, end: of the schedule, as a fraction of the training up to 1, else in optimizer steps.
        update_every: optimizer steps between two updates of the masks; None: 50 updates in all.
        round_to: the units that are left are a multiple of it.
    """

    layers: tuple[LayerPlan, ...]
    skipped: dict[str, str]
    scope: str
    schedule: str
    sparsity: float
    importance: str = "l1"
    begin: float = 0.0
    end: float = 0.5
    update_every: int | None = None
    round_to: int = 8

    def steps(self, total: int) -> tuple[int, int, int]:
        """Begin, end and frequency of the schedule in a training of ``total`` optimizer steps."""
        begin, end = (int(moment * total) if moment <= 1 else int(moment) for moment in (self.begin, self.end))
        end = max(0, min(end, total - 1))
        begin = min(begin, end)
        return begin, end, self.update_every or max(1, (end - begin) // 50)


@dataclass(frozen=True)
class BudgetLine:
    """One limit of a differentiable pruning, in bytes, cycles, seconds or MACs.

    Attributes:
        name: "flash", "SRAM", "MACs", "cycles" or "latency".
        most: that is allowed.
        before: of the network that was pruned. expected: of the pruned one, by the model that trained it.
        measured: by Vela, of the exported network; None without a target, where ``expected`` is exact.
    """

    name: str
    most: float
    before: float
    expected: float
    measured: float | None = None


@dataclass(frozen=True)
class Removal:
    """Units that were removed while a network trained.

    Attributes:
        epoch: from 1. left: units of each set after it.
    """

    epoch: int
    left: tuple[int, ...]


@dataclass(frozen=True)
class Expectation:
    """One compilation of a network that was still training, limit by limit.

    Attributes:
        expected: what the model said, corrected by the compilation before. measured: what Vela said.
    """

    expected: tuple[float, ...]
    measured: tuple[float, ...]


@dataclass(frozen=True)
class BudgetRecord:
    """How a network came to keep its budget.

    Attributes:
        target: name of what it was compiled for; None where the network itself is counted.
        lines: the limits.
        sets: names of the sets of units, in the order of ``Removal.left``; whole: units of each at first.
        removals: in order.
        compilations: what was compiled while it trained, in order.
    """

    target: str | None
    lines: tuple[BudgetLine, ...]
    sets: tuple[str, ...] = ()
    whole: tuple[int, ...] = ()
    removals: tuple[Removal, ...] = ()
    compilations: tuple[Expectation, ...] = ()


@dataclass(frozen=True)
class TensorSparsity:
    """Zeros of one kernel, counted in the exported flatbuffer.

    Attributes:
        name: ``layer/kernel``, as in the plan.
        size: number of weights.
        masked: number of weights that the mask removed.
        zeros: number of int8 weights that are 0 in the flatbuffer (masked, or rounded to 0).
    """

    name: str
    size: int
    masked: int
    zeros: int


@dataclass(frozen=True)
class ContextState:
    """What one layer of a one-frame graph remembers: after each call, copy the bytes of the output to the input.

    An utterance starts with ``zero_point`` in every byte. The input and the output that no state names are the
    network's own. Vela keeps names and positions.

    Attributes:
        layer: the layer that looks back.
        input_name, output_name: of the tensors in the flatbuffer.
        input_position, output_position: in the flatbuffer's lists of inputs and outputs, from 0.
        shape: (1, frames, ...) of both, one byte per number.
        scale, zero_point: of both; float = scale * (int8 - zero_point).
    """

    layer: str
    input_name: str
    output_name: str
    input_position: int
    output_position: int
    shape: tuple[int, ...]
    scale: float
    zero_point: int


@dataclass(frozen=True)
class TFLiteArtifact:
    """One int8 ``.tflite`` file.

    Attributes:
        path: the file.
        sha256: of its content.
        file_bytes: its size.
        frames: time steps of one call (1: streaming, and networks without a time axis).
        input_scale, input_zero_point: float = scale * (int8 - zero_point).
        output_scale, output_zero_point: the same for the output.
        tensors: zeros per kernel.
        contexts: states that go in and come out of every call; empty where the file keeps all states itself.
        layers: the Keras layer of every operator in the file, in order of execution.
    """

    path: Path
    sha256: str
    file_bytes: int
    frames: int
    input_scale: float
    input_zero_point: int
    output_scale: float
    output_zero_point: int
    tensors: tuple[TensorSparsity, ...] = ()
    contexts: tuple[ContextState, ...] = ()
    layers: tuple[str, ...] = ()

    @property
    def sparsity(self) -> float:
        """Fraction of zeros over all kernels."""
        return sum(tensor.zeros for tensor in self.tensors) / max(1, sum(tensor.size for tensor in self.tensors))


@dataclass(frozen=True)
class TaskRecord:
    """What the networks of a run are for.

    Attributes:
        name: "speech" or "classification".
        metric: the one that chooses the best epoch (registry.METRICS).
        forms: int8 graphs that are exported; the first is the one that the device runs.
        hop_seconds: time between two inferences in streaming use; None where the network does not stream.
        classes: names of what is told apart; empty where nothing is.
    """

    name: str
    metric: str
    forms: tuple[str, ...]
    hop_seconds: float | None = None
    classes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Quality:
    """How well one form of a network does its task on one split.

    Attributes:
        form: "noisy" (the unprocessed input), "float", or an int8 graph: "streaming", "sequence", "int8".
        split: "dev" or "test".
        utterances: how many utterances or examples were scored; undefined: how many were left out (silence).
        metrics: metric name (registry.METRICS) -> its value, of utterances the mean.
        by_snr: nominal input SNR in dB, as text -> the same per SNR.
    """

    form: str
    split: str
    utterances: int
    undefined: int
    metrics: dict[str, float]
    by_snr: dict[str, dict[str, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class VariantSummary:
    """One row of the resource summary.

    Attributes:
        name: variant, "baseline" or e.g. "weight-0.80".
        parameters: weights and biases of the Keras model.
        sparsity: fraction of zeros over all pruned kernels, measured in the flatbuffer.
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


@dataclass(frozen=True)
class RunSummary:
    """Every variant of a run on one target; the first is the baseline.

    Attributes:
        schema: version of this record (report/record.py).
        target: what it was compiled for.
        hop_seconds: time between two inferences in streaming use; None where the network does not stream.
        noisy: quality of the unprocessed input, on the same split; None where an input has none.
        variants: baseline first, then in order of creation.
    """

    schema: int
    target: NpuTarget
    hop_seconds: float | None
    noisy: Quality | None
    variants: tuple[VariantSummary, ...]
