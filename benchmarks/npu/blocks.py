"""What blocks of zeros cost on the NPU, by Vela: dense, and lowered to small operators.

Random blocks in kernels of random weights: Vela looks at sizes and zeros only. Finished cases are
in ``--work``, so a killed measurement goes on. ``--only`` takes some of the targets, by their names.
"""

import argparse
import itertools
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np

from benchmarks.shared.lstm_forms import in_form
from benchmarks.shared.report import Case, Report
from tinyprune.artifacts.resources import LOWER_NEVER, NpuTarget
from tinyprune.compress.fold import fold
from tinyprune.compress.kinds.base import kernels
from tinyprune.compress.planning import plan
from tinyprune.config import MagnitudePruning
from tinyprune.config.run import GATES, HARD, SOFT
from tinyprune.export.tflite import convert
from tinyprune.models import tinylstm
from tinyprune.npu import targets
from tinyprune.npu.lowering import compile_lowered
from tinyprune.sparsity.block import Block
from tinyprune.sparsity.drawn import drawn_mask
from tinyprune.sparsity.plan import LayerPlan
from tinyprune.storage.records import read_json, write_json
from tinyprune.tflite.flatbuffer import read_file
from tinyprune.tflite.lowering.drawn import DrawnOperator, file_of

TARGETS = (
    ("ethos-u55-128", "Sram_Only"),
    ("ethos-u55-128", "Shared_Sram"),
    ("ethos-u85-256", "Sram_Only"),
    ("ethos-u85-256", "Dedicated_Sram_384KB"),
)
#: What is measured of a case -> its unit.
FIGURES = (("dense", "cycles"), ("lowered", "cycles"), ("dense", "B"), ("lowered", "B"))
#: Size of blocks -> sparsities.
OF_DENSE = {"16x16": (0.8,), "32x64": (0.5, 0.8, 0.9), "64x128": (0.5, 0.8)}
OF_CONVOLUTION = {"16x16": (0.75,), "32x32": (0.5,)}
OF_NETWORK = (0.8, 0.9)
#: Of LSTM layers: two products, or one of inputs and state.
FORMS = ("explicit", "merged")
BANDS = 128

Figures = list[float]


@dataclass(frozen=True)
class _Kernel:
    """A kernel that is measured. Attributes: name; shape; operator; blocks: size -> sparsities."""

    name: str
    shape: tuple[int, ...]
    operator: DrawnOperator
    blocks: dict[str, tuple[float, ...]]


KERNELS = (
    _Kernel("Dense 256-1024", (256, 1024), DrawnOperator((1, 256), (1, 1024)), OF_DENSE),
    _Kernel(
        "3x3 conv 64",
        (3, 3, 64, 64),
        DrawnOperator((1, 16, 16, 64), (1, 16, 16, 64)),
        OF_CONVOLUTION,
    ),
)
_TOY = _Kernel("Dense 64-64", (64, 64), DrawnOperator((1, 64), (1, 64)), {"32x32": (0.5,)})


def measure(options: argparse.Namespace) -> Report:
    """Cycles and flash of kernels and of a network, dense and lowered, over blocks and targets."""
    finished = _Finished(options.work / ("blocks-smoke.json" if options.smoke else "blocks.json"))
    cases: list[Case] = []
    chosen = TARGETS[:1] if options.smoke else TARGETS
    wanted = options.only.split(",") if options.only else []
    for npu, mode in chosen:
        target = targets.resolve(npu, memory_mode=mode)
        if wanted and target.name not in wanted:
            continue
        cases += _cases_of_network(target, finished, options.smoke)
        for kernel in (_TOY,) if options.smoke else KERNELS:
            cases += _cases_of_kernel(kernel, target, finished)
    notes = [
        "lowered: of each kernel the cheapest of dense, fine and coarse parts, as compile has it",
        "tinylstm: cells with two products (explicit) or one (merged), blocks of the target in all "
        "kernels; fused: the dense network",
    ]
    return Report(cases, [], notes)


class _Finished:
    """The cases that are measured, by name, in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, Figures] = {}
        if path.exists():
            self._known = read_json(path, dict[str, Figures])

    def figures(self, name: str, measure: Callable[[], Figures]) -> Figures:
        """Return the figures of a case, measured if they are not known."""
        if name not in self._known:
            self._known[name] = measure()
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_json(self._path, self._known)
        return self._known[name]


def _cases_of_kernel(kernel: _Kernel, target: NpuTarget, finished: _Finished) -> list[Case]:
    cases = []
    for size, sparsities in kernel.blocks.items():
        for sparsity in sparsities:
            name = f"{_short(target)} {kernel.name}, {size}, {sparsity:.0%}"

            def measured(size: str = size, sparsity: float = sparsity) -> Figures:
                return _figures(_file(kernel, size, sparsity), target)

            cases += _as_cases(name, finished.figures(name, measured))
    return cases


def _file(kernel: _Kernel, size: str, sparsity: float) -> bytes:
    rows, columns = map(int, size.split("x"))
    planned = LayerPlan("", "kernel", kernel.shape, Block(rows, columns), "magnitude", 0, sparsity)
    rng = np.random.default_rng(0)
    values = rng.normal(0, 40, kernel.shape).clip(-127, 127) * drawn_mask(planned, rng)
    return file_of(values.astype(np.int8), kernel.operator)


def _cases_of_network(target: NpuTarget, finished: _Finished, is_smoke: bool) -> list[Case]:
    fused = f"{_short(target)} tinylstm, fused"
    cases = []
    sparsities = OF_NETWORK[:1] if is_smoke else OF_NETWORK
    for gates, form, sparsity in itertools.product(GATES, FORMS, sparsities):
        hard = ", hard gates" if gates == HARD else ""
        name = f"{_short(target)} tinylstm, {form}{hard}, {sparsity:.0%}"

        def measured(sparsity: float = sparsity, gates: str = gates, form: str = form) -> Figures:
            return _figures(_network(sparsity, target, form, gates, is_smoke), target)

        cases += _as_cases(name, finished.figures(name, measured))

    def of_fused() -> Figures:
        return _figures(_network(0.0, target, "fused", SOFT, is_smoke), target)[::2]

    cycles, flash = finished.figures(fused, of_fused)
    return [*cases, Case(fused, "cycles", [cycles]), Case(fused, "B", [flash])]


def _short(target: NpuTarget) -> str:
    return target.name.removeprefix("ethos-").replace("dedicated-sram", "dedicated")


def _network(sparsity: float, target: NpuTarget, form: str, gates: str, is_smoke: bool) -> bytes:
    """Return TinyLSTM with random weights and random blocks of the size for a target."""
    from tinyprune.npu.blocks import block_size

    units, hidden = (32, 16) if is_smoke else (256, 128)
    keras.utils.set_random_seed(0)
    model = fold(tinylstm.build((None, BANDS), BANDS, units=units, hidden=hidden, gates=gates))
    config = MagnitudePruning(structure="block", sparsity=sparsity)
    rng = np.random.default_rng(0)
    for item in plan(model, config, block_size(target)).layers:
        kernel = kernels(model.get_layer(item.layer))[item.kernel]
        kernel.assign(kernel.numpy() * drawn_mask(item, rng))
    features = np.random.default_rng(1).normal(size=(20, BANDS)).astype(np.float32)
    return convert(in_form(model, form, features), 1, features)


def _figures(content: bytes, target: NpuTarget) -> Figures:
    """Return what :data:`FIGURES` says of a network."""
    reports = []
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "network.tflite"
        path.write_bytes(content)
        source = read_file(path)
        for own in (replace(target, lower=LOWER_NEVER), target):
            folder = Path(name) / own.lower
            reports.append(compile_lowered(source, own, folder).report)
    cycles = [report.cycles for report in reports]
    return [*cycles, *(report.flash_bytes for report in reports)]


def _as_cases(name: str, figures: Figures) -> list[Case]:
    cases = []
    for (form, unit), figure in zip(FIGURES, figures, strict=True):
        cases.append(Case(f"{name}: {form}", unit, [figure]))
    return cases
