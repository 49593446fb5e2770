"""Int8 graphs of a variant, pruned without training, and scored."""

import logging
from dataclasses import replace
from pathlib import Path

from tinyprune.artifacts.network import TensorSparsity, TFLiteArtifact
from tinyprune.artifacts.quality import Quality
from tinyprune.compress.offline import OfflineResult, prune_file
from tinyprune.compress.reach import probes_of
from tinyprune.config import OfflinePruning
from tinyprune.npu.layers import weights_beside
from tinyprune.sparsity.structure import DEFAULT_BLOCK_SIZE, parse
from tinyprune.stages.collapse import check_above_chance
from tinyprune.stages.int8_graphs import evaluate, write_front_end
from tinyprune.storage.records import read_json, write_json
from tinyprune.tasks.task import Task
from tinyprune.tflite import flatbuffer
from tinyprune.tflite.graph import constants

log = logging.getLogger(__name__)


def prune_graphs(source: Path, task: Task, config: OfflinePruning, folder: Path) -> list[str]:
    """Prune every int8 graph in the folder ``source`` into ``folder``, with its records.

    Returns the names of the files it made.
    """
    structure = parse(config.structure, config.block_size or DEFAULT_BLOCK_SIZE)
    inputs = list(probes_of(task.calibration(), task.hop_seconds is not None))
    outputs = []
    for form in task.exported(source):
        name = f"{form}.tflite"
        pruned = prune_file(
            source / name,
            structure,
            config.final_sparsity,
            config.scope,
            config.settled_importance,
            folder / name,
            config.clusters,
            config.settled_floor,
            inputs,
        )
        before = read_json(source / f"{form}.json", TFLiteArtifact)
        after = replace(
            before,
            sha256=pruned.sha256,
            file_bytes=pruned.file_bytes,
            tensors=pruned.tensors,
            dense=_left_dense(pruned, before.layers),
        )
        write_json(folder / f"{form}.json", after)
        outputs += [name, f"{form}.json"]

    write_json(folder / "size.json", read_json(source / "size.json", int))
    # Nothing is refused from here on.
    log.info("%s: pruned without training; scoring its int8 graphs", folder.name)
    qualities = evaluate(None, task, "dev", folder)
    dense = {quality.form: quality for quality in read_json(source / "quality.json", list[Quality])}
    check_above_chance(folder.name, dense[task.forms[0].name], qualities, task, folder)
    write_json(folder / "quality.json", qualities)
    return [*outputs, *write_front_end(task, folder), "quality.json"]


def _left_dense(pruned: OfflineResult, layers: tuple[str, ...]) -> tuple[TensorSparsity, ...]:
    """The weights that were left as they are."""
    graph = flatbuffer.read(pruned.path)
    names = {tensor.name for tensor in pruned.tensors}
    buffers = {tensor.buffer for tensor in constants(graph.operators) if tensor.name in names}
    return weights_beside(graph, buffers, layers)
