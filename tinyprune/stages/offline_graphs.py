"""Int8 graphs of a variant, pruned without training, and scored."""

import logging
from dataclasses import replace
from pathlib import Path

from tinyprune.artifacts.network import TensorSparsity, TFLiteArtifact
from tinyprune.compress.offline import OfflineResult, prune_file
from tinyprune.config import OfflinePruning
from tinyprune.npu.layers import weights_beside
from tinyprune.sparsity.structure import parse
from tinyprune.stages.int8_graphs import evaluate, exported, write_front_end
from tinyprune.storage.records import read_json, write_json
from tinyprune.tasks.task import Task
from tinyprune.tflite import flatbuffer
from tinyprune.tflite.graph import constants

log = logging.getLogger(__name__)


def prune_graphs(source: Path, task: Task, config: OfflinePruning, folder: Path) -> list[str]:
    """Prune every int8 graph in the folder ``source`` into ``folder``, with its records.

    Returns the names of the files it made.
    """
    structure = parse(config.structure, config.block_size)
    outputs = []
    for form in exported(task, source):
        name = f"{form}.tflite"
        pruned = prune_file(
            source / name,
            structure,
            config.final_sparsity,
            config.scope,
            config.importance,
            folder / name,
            config.clusters,
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
    write_json(folder / "quality.json", evaluate(None, task, "dev", folder))
    return [*outputs, *write_front_end(task, folder), "quality.json"]


def _left_dense(pruned: OfflineResult, layers: tuple[str, ...]) -> tuple[TensorSparsity, ...]:
    """The weights that were left as they are."""
    graph = flatbuffer.read(pruned.path)
    names = {tensor.name for tensor in pruned.tensors}
    buffers = {tensor.buffer for tensor in constants(graph.operators) if tensor.name in names}
    return weights_beside(graph, buffers, layers)
