"""The cost of a compiled network, from the files that Vela leaves in a folder.

The sizes come from different places:

- ``encoded_weight_bytes``: ``total_npu_encoded_weights``. Weights alone, as Vela compresses them.
- ``flash_bytes``: the constants of the compiled file, each stored buffer once: encoded weights,
  bias and scale (10 bytes per output channel and matrix) and lookup tables of the NPU operators,
  plus the weights of operators left to the CPU, which Vela does not count. Without CPU operators it
  is to the byte what Vela prints as used in flash (Shared_Sram), and what has to be stored before
  boot code copies it to SRAM (Sram_Only, where Vela 5.2 calls it "on-chip flash") or DRAM
  (Dedicated_Sram, where Vela adds the arena to it, we do not). The command stream and the rest of
  the file, a few kB, are not in it: the size of the compiled file is the sum of all.
- ``sram_bytes``: ``sram_memory_used`` plus ``on_chip_flash_memory_used``, because in Arm's
  configurations the latter is the SRAM under another name. With Dedicated_Sram it is the NPU's
  cache; the arena is in DRAM.
- ``dram_bytes``: ``dram_memory_used`` without those constants of the NPU that are copied there.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tinyprune.artifacts.cycles import Cycles
from tinyprune.artifacts.resources import NpuTarget, OperatorCost, ResourceReport
from tinyprune.errors import TinypruneError
from tinyprune.npu import tables
from tinyprune.npu.layers import layer_costs, layer_names, stored_once
from tinyprune.tflite.flatbuffer import read_file
from tinyprune.tflite.graph import NPU_OPERATOR, Graph, Operator, constants
from tinyprune.tflite.lowering.rewritten import Rewritten

_COMMAND_STREAM = "ethos_u_command_stream"


def read_report(
    folder: Path,
    target: NpuTarget,
    vela_version: str,
    source: Graph,
    layers: Sequence[str] = (),
    rewritten: Rewritten | None = None,
) -> ResourceReport:
    """Return the cost of a compiled network, without a prediction.

    Args:
        folder: where Vela wrote its results.
        target: what was compiled for.
        vela_version: version of the compiler.
        source: the network that was compiled.
        layers: the layer of every operator in ``source`` (:func:`layer_costs`).
        rewritten: the form of ``source`` that Vela was given, where it is another one.

    Raises TinypruneError if a file is missing, cannot be read, or has nothing for the NPU.
    """
    compiled = read_file(tables.only(folder, "*_vela.tflite"))
    row = tables.summary(folder)
    on_cpu = [op for op in compiled.graph.operators if op.name != NPU_OPERATOR]
    if len(on_cpu) == len(compiled.graph.operators):
        names = ", ".join(dict.fromkeys(operator.name for operator in on_cpu))
        raise TinypruneError(f"Vela puts no operator on the NPU; on the CPU stay {names}")

    conversions = compiled.graph.conversions
    by_part = {field: row[tables.CYCLES[part]] for part, field in Cycles.PARTS.items()}
    cycles = Cycles(cycles=row["cycles_total"], **by_part)
    operators = stored_once(_of_source(tables.operators(folder), rewritten), source)
    flash_bytes, stream_bytes = _constant_bytes(compiled.graph.operators)
    cpu_bytes, _ = _constant_bytes(on_cpu)
    copied_bytes = flash_bytes - cpu_bytes
    dram_bytes = tables.KIB * row["dram_memory_used"]
    return ResourceReport(
        target=target,
        vela_version=vela_version,
        sram_bytes=tables.KIB * (row["sram_memory_used"] + row["on_chip_flash_memory_used"]),
        flash_bytes=flash_bytes,
        encoded_weight_bytes=row["total_npu_encoded_weights"],
        macs=int(row["nn_macs"]),
        clock_hz=row["core_clock"],
        inference_seconds=row["inference_time"],
        cpu_operators=tuple(op.name for op in on_cpu if op not in conversions),
        layers=layer_costs(operators, source, layers),
        bound_by=cycles.slowest_part,
        operators=operators,
        dram_bytes=max(0.0, dram_bytes - copied_bytes),
        scale_bytes=sum(operator.scale_bytes for operator in operators),
        cpu_weight_bytes=cpu_bytes,
        command_stream_bytes=stream_bytes,
        file_bytes=len(compiled.content),
        predicted=None,
        end_conversions=tuple(operator.name for operator in conversions),
        lowered=_lowered_layers(source, layers, rewritten),
        **cycles.as_fields(),
    )


def _of_source(
    operators: tuple[OperatorCost, ...], rewritten: Rewritten | None
) -> tuple[OperatorCost, ...]:
    """Return costs with the operators of the network before it was rewritten, if it was."""
    if rewritten is None:
        return operators
    renumbered = []
    for cost in operators:
        source = cost.source
        if source is not None and source < len(rewritten.source_of):
            cost = replace(cost, source=rewritten.source_of[source])
        renumbered.append(cost)
    return tuple(renumbered)


def _lowered_layers(
    source: Graph, layers: Sequence[str], rewritten: Rewritten | None
) -> tuple[str, ...]:
    """Return the layers whose operators were divided, each once."""
    if rewritten is None:
        return ()
    names = layer_names(source, layers)
    return tuple(dict.fromkeys(names[number] for number in rewritten.numbers))


def _constant_bytes(operators: Sequence[Operator]) -> tuple[int, int]:
    """Return the bytes of constants without command streams, and those of command streams."""
    constant_bytes = stream_bytes = 0
    for tensor in constants(operators):
        if tensor.name == _COMMAND_STREAM:
            stream_bytes += tensor.values.nbytes
        else:
            constant_bytes += tensor.values.nbytes
    return constant_bytes, stream_bytes
