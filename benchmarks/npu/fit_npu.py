"""Fit the cost model of the NPU to Vela, and how far it is off on networks that it has not seen.

Remakes ``tinyprune/npu/cost_model.json``: ``python benchmarks/run.py fit_npu``. Random int8
networks are compiled for every target; what is compiled already is not compiled again. ``--only
matmul,softmax,transpose`` fits these kinds of operators again; all other constants stay.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import nnls

from benchmarks.npu.networks import Network, export, networks
from benchmarks.npu.samples import Sample, samples
from benchmarks.shared.environment import ROOT
from benchmarks.shared.report import Case, Check, Report, Unavailable
from benchmarks.shared.sizes import SIZES
from benchmarks.shared.timing import say
from tinyprune.array_types import Float64Array
from tinyprune.artifacts.quantity import FLASH, SRAM, TOTAL_CYCLES
from tinyprune.artifacts.resources import NpuTarget, ResourceReport
from tinyprune.npu import targets, vela
from tinyprune.npu.batch import Compilation, compile_batch
from tinyprune.npu.cost_constants import DATA, KINDS, Constants, constants_of, key
from tinyprune.npu.cost_features import Block, table_kinds
from tinyprune.npu.cost_model import CostModel, packing_columns, stored_bytes, term_columns
from tinyprune.sparsity.network_shape import NetworkShape
from tinyprune.sparsity.resource_model import NUMPY
from tinyprune.storage.writing import writing
from tinyprune.tflite import flatbuffer
from tinyprune.tflite.graph import Graph

MODES = {
    "ethos-u55-128": ("Shared_Sram", "Sram_Only"),
    "ethos-u55-256": ("Shared_Sram", "Sram_Only"),
    "ethos-u65-256": ("Dedicated_Sram_384KB", "Shared_Sram", "Sram_Only"),
    "ethos-u85-256": ("Dedicated_Sram_384KB", "Shared_Sram", "Sram_Only"),
}
LIMIT = 0.10
_ROUNDS = 8
_CACHES = {"256KB": 256 * 1024, "384KB": 384 * 1024, "512KB": 512 * 1024}
_OUTPUT = (0.0, 0.125, 0.25, 0.375, 0.5, 0.75, 1.0)
QUANTITIES = {quantity.label: quantity for quantity in (TOTAL_CYCLES, FLASH, SRAM)}
Measured = tuple[NetworkShape, Float64Array, Graph, dict[str, ResourceReport]]


def measure(options: argparse.Namespace) -> Report:
    """Errors per target, on random networks and on the registered ones with units removed at random."""
    folder = options.work / "fit_npu"
    chosen = [
        targets.resolve(npu, memory_mode=mode) for npu, modes in MODES.items() for mode in modes
    ]
    chosen = chosen[: SIZES.fitted_targets or None]
    kinds = _named_kinds(options.only)
    known = {
        kind: _compiled(networks(kind, count), chosen, folder) for kind, count in _COUNTS.items()
    }
    fitted, cases, checks = {}, [], []
    for target in chosen:
        if kinds:
            constants, operators = _with_kinds(kinds, target, known["train"])
        else:
            constants, operators = fit(target, known["train"])
        fitted[key(target)] = asdict(constants)
        errors = {
            kind: _errors(constants, target, known[kind]) for kind in ("held-out", "registered")
        }
        both = {
            name: [*errors["held-out"][name], *errors["registered"][name]] for name in QUANTITIES
        }
        attentive = [row for row in (*known["held-out"], *known["registered"]) if _attends(row)]
        of_attention = _errors(constants, target, attentive)
        for name, found in both.items():
            cases += [
                Case(f"{target.name}, {kind}: {name}", "error", errors[kind][name])
                for kind in errors
            ]
            checks.append(
                Check(f"{target.name}: {name}, median", float(np.median(found)), "error", LIMIT)
            )
            checks.append(
                Check(f"{target.name}: {name}, 90 %", float(np.quantile(found, 0.9)), "error")
            )
            if attentive:
                median = float(np.median(of_attention[name]))
                checks.append(Check(f"{target.name}, attention: {name}, median", median, "error"))
    path = ROOT / "tinyprune" / "npu" / DATA
    if options.smoke:  # the constants of the package stay
        path = folder / DATA
    _write(path, fitted, operators, cases, checks)
    counts = ", ".join(f"{len(found)} {kind}" for kind, found in known.items())
    notes = [
        f"{counts} networks, weights normal; {operators} operators per target",
        "constants are fitted to the train networks alone; the form was chosen with an eye on the errors of the others",
    ]
    if kinds:
        notes.append(f"{', '.join(kinds)} alone were fitted again")
    return Report(cases, checks, notes)


def _named_kinds(only: str | None) -> list[str]:
    """The kinds of ``--only``. Raises Unavailable for one that there is not."""
    kinds = only.split(",") if only else []
    unknown = sorted(set(kinds) - set(KINDS))
    if unknown:
        raise Unavailable(f"--only: there is no kind {unknown[0]}: expected some of {KINDS}")
    return kinds


def _attends(row: Measured) -> bool:
    return any(op.kind == "matmul" for op in row[0].operators)


def _with_kinds(
    kinds: Sequence[str], target: NpuTarget, known: Sequence[Measured]
) -> tuple[Constants, int]:
    """The constants that ship, of these kinds fitted again, and how many operators there were."""
    before = constants_of(target)
    rows = [
        row
        for _, _, graph, reports in known
        for row in samples(graph, reports[key(target)], before.micro_blocks)
    ]
    fitted, _ = _fitted(target, before.micro_blocks, before.output_cycles, rows)
    again = {kind: fitted.kinds[kind] for kind in kinds}
    return replace(before, kinds={**before.kinds, **again}), len(rows)


_COUNTS = {"train": SIZES.train_networks, "held-out": SIZES.held_out_networks, "registered": 0}


def _compiled(
    found: Sequence[Network], chosen: Sequence[NpuTarget], folder: Path
) -> list[Measured]:
    """Every network's shape and what it costs on every target."""
    measured = []
    for network in found:
        say(network.name)
        path = export(network, folder)
        jobs = [Compilation(path, target, path.parent / target.name) for target in chosen]
        reports = {key(done.report.target): done.report for done in compile_batch(jobs, 2)}
        _, shape, kept = network.make()
        measured.append((shape, kept, flatbuffer.read(path), reports))
    return measured


def fit(target: NpuTarget, known: Sequence[Measured]) -> tuple[Constants, int]:
    """The constants of a target that fit best, and how many operators they are fitted to."""
    best: tuple[float, Constants, int] | None = None
    for blocks in _micro_blocks(target.npu):
        rows = [
            row
            for _, _, graph, reports in known
            for row in samples(graph, reports[key(target)], blocks)
        ]
        for output_cycles in _OUTPUT:
            constants, error = _fitted(target, blocks, output_cycles, rows)
            if best is None or error < best[0]:
                best = error, constants, len(rows)
    assert best is not None
    return _with_memory(best[1], target, known), best[2]


def _micro_blocks(npu: str) -> list[tuple[Block, ...]]:
    """What (rows, columns, channels) may be, 8 input channels at a time: one on U55 and U65, a choice on U85."""
    outputs = int(npu.rpartition("-")[2]) // 8
    shapes = ((1, 1), (1, 2), (2, 1), (2, 2), (1, 4), (4, 1))
    blocks = [(a, b, outputs // (a * b)) for a, b in shapes if outputs // (a * b) in (8, 16)]
    pairs = [(one, two) for one in blocks for two in blocks if one[2] < two[2]]
    return [(block,) for block in blocks] + (pairs if "u85" in npu else [])


def _fitted(
    target: NpuTarget, blocks: tuple[Block, ...], output_cycles: float, rows: Sequence[Sample]
) -> tuple[Constants, float]:
    """Constants of one micro-block, and the mean error of compute cycles in logarithms."""
    in_sram = target.memory_mode == "Sram_Only"
    has_fast = in_sram and "u85" in target.npu
    scale_cycles = 0.0 if in_sram else _scale_cycles(rows)
    kinds: dict[str, dict[str, tuple[float, ...]]] = {}
    errors: list[float] = []
    by_kind: dict[str, list[Sample]] = defaultdict(list)
    for row in rows:
        if row.measured["cycles"] > 0:
            by_kind[row.kind].append(row)
    for kind, members in by_kind.items():
        found, measured = _columns(members, "features"), _columns(members, "measured")
        packed, bytes_ = packing_columns(found), measured["encoded_weight_bytes"]
        encoding = _solve(
            packed, bytes_, ~(has_fast & (np.abs(bytes_ - found["fast"]) < 0.01 * bytes_ + 64))
        )
        encoded = np.stack(packed, 1) @ encoding
        encoded = stored_bytes(encoded, found, NUMPY) if has_fast else encoded
        columns = term_columns(found, encoded, encoded, found["tiles"], output_cycles, NUMPY)
        matters = partial(_matters, measured["cycles"])
        floor = 1.1 * scale_cycles * found["scale_fetches"]
        terms = {
            "encoding": encoding,
            "compute": _solve(
                columns["compute"], measured["cycles_npu"], matters=matters(measured["cycles_npu"])
            ),
            "sram": _solve(
                columns["sram"], measured["cycles_sram"], matters=matters(measured["cycles_sram"])
            ),
            "slow": _solve(
                columns["slow"],
                measured["slow"],
                measured["slow"] >= floor,
                matters(measured["slow"]),
            ),
        }
        kinds[kind] = terms
        compute = sum(
            factor * column
            for factor, column in zip(terms["compute"], columns["compute"], strict=True)
        )
        errors += np.abs(
            np.log(np.maximum(compute, 1) / np.maximum(measured["cycles_npu"], 1))
        ).tolist()
    constants = Constants(
        blocks, kinds, output_cycles, scale_cycles, {}, {}, 0.5, 2000.0, 8.0, 0.0, in_sram, has_fast
    )
    return constants, float(np.mean(errors))


def _matters(cycles: Float64Array, unit: Float64Array) -> Float64Array:
    """How much of the cycles of each operator a unit's are."""
    return np.clip(unit / cycles, 0.1, 1) ** 2


def _columns(members: Sequence[Sample], side: str) -> dict[str, Float64Array]:
    return {
        name: np.array([getattr(row, side)[name] for row in members])
        for name in getattr(members[0], side)
    }


def _solve(
    columns: Iterable[Float64Array],
    wanted: Float64Array,
    rows: Any = slice(None),
    matters: Float64Array | None = None,
) -> tuple[float, ...]:
    """Non-negative least squares of relative errors, reweighted so that an error counts by its size, not its square.

    Args:
        columns: what the constants are multiplied with.
        wanted: what Vela says.
        rows: which operators.
        matters: how much each counts: what an operator waits for, not what is hidden behind it.
    """
    matrix, target = np.stack(list(columns), 1)[rows], wanted[rows]
    if not len(matrix) or not target.any():
        return (0.0,) * matrix.shape[1]
    size = np.maximum(target, 1)
    base = (np.ones_like(size) if matters is None else matters[rows]) / size**0.9
    weight = base
    for _ in range(_ROUNDS):
        factors = nnls(matrix * weight[:, None], target * weight)[0]
        weight = base / np.sqrt(np.maximum(np.abs(matrix @ factors - target) / size, 0.02))
    return tuple(float(f"{factor:.4g}") for factor in factors)


def _scale_cycles(rows: Sequence[Sample]) -> float:
    """What the slow memory takes at least to read the scales of 16 output channels."""
    ratios = [
        row.measured["slow"] / row.features["scale_fetches"]
        for row in rows
        if row.features["scale_fetches"]
    ]
    return round(float(np.quantile(ratios, 0.02)), 1) if ratios else 0.0


def _with_memory(constants: Constants, target: NpuTarget, known: Sequence[Measured]) -> Constants:
    """The same with lookup tables and the arena's constants, fitted to whole networks."""
    reports = [reports[key(target)] for _, _, _, reports in known]
    names = ("activation", "softmax", "lstm")
    counts = [
        np.array([table_kinds(shape).count(name) for shape, *_ in known], float) for name in names
    ]
    others = [
        CostModel(shape, target, NUMPY, constants).table_bytes(kept) for shape, kept, *_ in known
    ]
    measured = np.array([report.table_bytes for report in reports]) - np.array(others)
    tables = dict(zip(names, _solve(counts, np.maximum(measured, 0.0)), strict=True))
    limit = next(
        (float(size) for name, size in _CACHES.items() if target.memory_mode.endswith(name)), 0.0
    )
    constants = replace(constants, tables=tables, sram_bytes=limit)
    best, error = constants, np.inf
    for name, values in (*_MEMORY.items(), *_MEMORY.items()):  # one after the other, twice
        for value in values:
            option = _changed(best, name, value)
            if (
                found := float(
                    np.mean(np.minimum(_errors(option, target, known, ("SRAM",))["SRAM"], 0.5))
                )
            ) < error:
                best, error = option, found
    return best


#: What the arena's constants can be; a tuple of kinds: whether their weights are copied.
_MEMORY: dict[str | tuple[str, ...], tuple[float, ...]] = {
    ("tiled", "transposed"): (0.0, 1.0),
    ("depthwise",): (0.0, 1.0),
    ("conv",): (0.0, 1.0),
    ("dense",): (0.0, 1.0),
    ("gate",): (0.0, 1.0),
    ("mean",): (0.0, 1.0),
    "buffer_part": (0.0, 0.25, 0.5, 0.75, 1.0),
    "buffer_bytes": (0.0, 2000.0, 4000.0, 8000.0),
    "cell_bytes": (6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0),
}


def _changed(constants: Constants, name: str | tuple[str, ...], value: float) -> Constants:
    if isinstance(name, str):
        return replace(constants, **{name: value})
    return replace(constants, staged={**constants.staged, **dict.fromkeys(name, value)})


def _errors(
    constants: Constants,
    target: NpuTarget,
    known: Sequence[Measured],
    names: Iterable[str] = tuple(QUANTITIES),
) -> dict[str, list[float]]:
    """Quantity -> |predicted / Vela - 1| of every network."""
    errors: dict[str, list[float]] = {name: [] for name in names}
    for shape, kept, _, reports in known:
        model = CostModel(shape, target, NUMPY, constants)
        for name, found in errors.items():
            found.append(
                abs(
                    float(getattr(model, QUANTITIES[name].report_field)(kept))
                    / QUANTITIES[name].of_report(reports[key(target)])
                    - 1
                )
            )
    return errors


def _write(
    path: Path,
    fitted: dict[str, Any],
    operators: int,
    cases: Sequence[Case],
    checks: Sequence[Check],
) -> None:
    content = {
        "made_by": "python benchmarks/run.py fit_npu",
        "vela_version": vela.version(),
        "networks": SIZES.train_networks,
        "operators_per_target": operators,
        "errors": {check.what: round(check.value, 4) for check in checks},
        "median_errors_by_set": {case.what: round(case.median, 4) for case in cases},
        "targets": fitted,
    }
    with writing(path) as part:
        part.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
