"""The cost of a network on an accelerator: tensor, operator, layer, model.

Each sums up the one below.

The unit of every number is in its name. Cycles are Vela's estimates; it counts for every operator
what the NPU computes and what each memory moves, and takes roughly the largest of them.
"""

import math
from dataclasses import dataclass
from pathlib import Path

from tinyprune.artifacts.cycles import Cycles


def ratio(before: float, after: float) -> float | None:
    """Return before / after; None where there is nothing to divide by."""
    if after:
        return before / after
    return None


LOWER_AUTO, LOWER_NEVER = LOWERINGS = ("auto", "never")
PERFORMANCE, SIZE = OPTIMISATIONS = ("performance", "size")


@dataclass(frozen=True)
class NpuTarget:
    """A target that Vela compiles for.

    Attributes:
        npu: name of the accelerator, e.g. "ethos-u55-128".
        system_config: clock and memories, a section of Vela's configuration file.
        memory_mode: where weights and feature maps live, a section of the same file.
        vela_config: Vela's configuration file, as ``--config`` takes it; the default is the one
            that comes with Vela.
        label: name that a user gave to this target; empty: it is called after what it is made of.
        is_default_system: whether ``system_config`` is the one that the accelerator has if nothing
            is asked for.
        lower: whether block-sparse kernels become smaller operators: "auto", where that takes fewer
            cycles, or "never".
        optimise: what Vela prefers, "performance", or "size": less SRAM, maybe for more cycles.
        arena_bytes: SRAM that Vela tries not to exceed when it prefers performance; None: what the
            memory mode allows.
    """

    npu: str
    system_config: str
    memory_mode: str
    vela_config: str = "Arm/vela.ini"
    label: str = ""
    is_default_system: bool = True
    lower: str = LOWER_AUTO
    optimise: str = PERFORMANCE
    arena_bytes: int | None = None

    @property
    def name(self) -> str:
        """Unique name in file names and tables, e.g. ``ethos-u55-128-shared-sram``."""
        system = "" if self.is_default_system else f"-{self.system_config}"
        name = f"{self.npu}{system}-{self.memory_mode}".lower().replace("_", "-")
        return "-".join([self.label or name, *self.choices])

    @property
    def compiled_place(self) -> str:
        """Folder of what is compiled for it, in the folder of a variant."""
        return f"compiled/{self.name}"

    @property
    def choices(self) -> list[str]:
        """Choices of the compiler that are not its defaults, as parts of a name."""
        choices = []
        if self.optimise != PERFORMANCE:
            choices.append(self.optimise)
        if self.arena_bytes is not None:
            choices.append(f"arena-{self.arena_bytes}")
        return choices

    @property
    def description(self) -> str:
        """Accelerator, system, memory mode and choices of the compiler in a line."""
        return ", ".join([self.npu, self.system_config, self.memory_mode, *self.choices])

    @property
    def family(self) -> str:
        """Accelerators of all sizes of one kind, e.g. ``ethos-u85``."""
        return self.npu.rpartition("-")[0]


@dataclass(frozen=True)
class Kernel:
    """One constant tensor of weights in a ``.tflite``.

    Attributes:
        shape: in TFLite's axis order, outputs first (depthwise: last).
        zeros: number of weights that are 0.
    """

    shape: tuple[int, ...]
    zeros: int

    @property
    def size(self) -> int:
        """Number of weights."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class OperatorCost(Cycles):
    """Vela's estimate for one operator of the compiled network.

    Attributes:
        name: Vela's name of the operator's output.
        operator: e.g. "FullyConnected".
        sram_bytes: SRAM in use while it runs.
        macs: multiply-accumulates.
        on_npu: False for what Vela leaves to the CPU, which has no cycles.
        source: which operator of the ``.tflite`` it comes from, from 0; None where Vela does not
            say.
        encoded_weight_bytes: its weights as Vela encodes them. scale_bytes: its biases and scales,
            10 bytes per output channel, rounded up to 16 bytes. Both 0 where Vela does not say.
    """

    name: str
    operator: str
    sram_bytes: float
    macs: int
    on_npu: bool = True
    source: int | None = None
    encoded_weight_bytes: float = 0.0
    scale_bytes: float = 0.0

    @property
    def flash_bytes(self) -> float:
        """Its encoded weights, biases and scales."""
        return self.encoded_weight_bytes + self.scale_bytes


@dataclass(frozen=True)
class LayerCost(Cycles):
    """The cost of one layer: the sum over the operators that it became.

    Attributes:
        name: of the Keras layer, where the export knows it; else of its place in the ``.tflite``.
        operators: operators of the ``.tflite``, e.g. ("FULLY_CONNECTED", "LOGISTIC").
        kernels: its weights, tensor by tensor; the fused LSTM has eight matrices.
        encoded_weight_bytes, scale_bytes: as in OperatorCost.
        macs: multiply-accumulates.
        sram_bytes: the most SRAM in use while it runs.
        processor: "NPU", "CPU" or "NPU+CPU".
        bound_by: the part with the most cycles (Cycles.PARTS); empty on the CPU, which Vela does
            not count.
    """

    name: str
    operators: tuple[str, ...]
    kernels: tuple[Kernel, ...]
    encoded_weight_bytes: float
    scale_bytes: float
    macs: int
    sram_bytes: float
    processor: str
    bound_by: str

    @property
    def weights(self) -> int:
        """Number of weights; int8, so also their bytes in the ``.tflite``."""
        return sum(kernel.size for kernel in self.kernels)

    @property
    def zeros(self) -> int:
        """Number of weights that are 0."""
        return sum(kernel.zeros for kernel in self.kernels)

    @property
    def sparsity(self) -> float | None:
        """Fraction of its weights that are 0; None without weights."""
        return ratio(self.zeros, self.weights)

    @property
    def flash_bytes(self) -> float:
        """Its encoded weights, biases and scales."""
        return self.encoded_weight_bytes + self.scale_bytes

    @property
    def compression(self) -> float | None:
        """Weights in the ``.tflite`` over encoded weights; None where there are none."""
        return ratio(self.weights, self.encoded_weight_bytes) or None


@dataclass(frozen=True)
class Prediction:
    """The expectation of the cost model (npu/cost_model.py); fields as in ResourceReport.

    Attributes:
        target: what for.
        flash_bytes: encoded weights, biases, scales and lookup tables.
        encoded_weight_bytes, scale_bytes: parts of it.
        sram_bytes: peak SRAM; with weights in SRAM, those too.
        cycles: per inference.
        macs: multiply-accumulates per inference.
    """

    target: NpuTarget
    flash_bytes: float
    encoded_weight_bytes: float
    scale_bytes: float
    sram_bytes: float
    cycles: float
    macs: float


@dataclass(frozen=True)
class ResourceReport(Cycles):
    """The cost of a compiled network on its target, as Vela estimates it.

    Attributes:
        target: accelerator, system config, memory mode.
        vela_version: version of the compiler.
        sram_bytes: peak SRAM (arena; with weights in SRAM, those too).
        flash_bytes: read-only memory: encoded weights, biases, scales, lookup tables, and the
            weights of CPU operators; not the command stream (npu/vela_report.py).
        encoded_weight_bytes: weights as Vela encodes them.
        macs: multiply-accumulates per inference.
        clock_hz: clock of the accelerator.
        inference_seconds: time of one inference.
        cpu_operators: names of the operators that are left to the CPU.
        layers: per layer, in order of execution.
        bound_by: the part with the most cycles (Cycles.PARTS).
        operators: per operator, in order of execution.
        dram_bytes: DRAM in use, without the flash contents that are copied there (Dedicated_Sram:
            the arena).
        scale_bytes: biases and scales in flash_bytes.
        cpu_weight_bytes: constants of CPU operators in flash_bytes.
        command_stream_bytes: what tells the NPU what to do, beside flash_bytes in the compiled
            file.
        file_bytes: size of the compiled file.
        predicted: what the cost model expected; None where it has no constants for the target.
        end_conversions: names of the operators that the CPU runs to quantize a float input or
            dequantize a float output; they are no part of cpu_operators.
        lowered: layers whose block-sparse kernels are computed in parts.
    """

    target: NpuTarget
    vela_version: str
    sram_bytes: float
    flash_bytes: float
    encoded_weight_bytes: float
    macs: int
    clock_hz: float
    inference_seconds: float
    cpu_operators: tuple[str, ...]
    layers: tuple[LayerCost, ...]
    bound_by: str
    operators: tuple[OperatorCost, ...] = ()
    dram_bytes: float = 0.0
    scale_bytes: float = 0.0
    cpu_weight_bytes: float = 0.0
    command_stream_bytes: float = 0.0
    file_bytes: float = 0.0
    predicted: Prediction | None = None
    end_conversions: tuple[str, ...] = ()
    lowered: tuple[str, ...] = ()

    @property
    def table_bytes(self) -> float:
        """The rest of flash_bytes: lookup tables and other constants."""
        encoded = self.flash_bytes - self.encoded_weight_bytes - self.scale_bytes
        return encoded - self.cpu_weight_bytes

    @property
    def cpu_operator_count(self) -> int:
        """Number of operators that are left to the CPU."""
        return len(self.cpu_operators)

    @property
    def has_weights_in_sram(self) -> bool:
        """True where weights are kept in SRAM (Sram_Only), so that ``sram_bytes`` has them too.

        No other memory is read there.
        """
        reads_other_memory = self.cycles_dram or self.cycles_flash
        return not reads_other_memory and self.sram_bytes >= self.flash_bytes > 0


@dataclass(frozen=True)
class CompiledArtifact:
    """A network compiled by Vela.

    Attributes:
        source: the ``.tflite`` that was compiled; source_sha256: of its content.
        path: the compiled ``.tflite``; sha256: of its content.
        report: what it costs.
        config_sha256: of Vela's configuration file, where it is not the one that comes with Vela.
        layers_sha256: of the names that the layers were given.
        lowering: how kernels with blocks of zeros were treated: "auto"; empty where there are none.
    """

    source: Path
    source_sha256: str
    path: Path
    report: ResourceReport
    sha256: str = ""
    config_sha256: str = ""
    layers_sha256: str = ""
    lowering: str = ""
