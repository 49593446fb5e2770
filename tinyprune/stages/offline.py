"""The offline control as a variant of a run: int8 graphs of another variant, pruned without training, and scored."""

import logging
import shutil
from dataclasses import replace
from pathlib import Path

from tinyprune.artifacts.network import TFLiteArtifact
from tinyprune.compress.offline import prune_file
from tinyprune.config import PruneConfig
from tinyprune.sparsity.structure import parse
from tinyprune.stages.export import evaluate, exported
from tinyprune.stages.front_end_record import write_front_end
from tinyprune.storage.records import read_json, write_json
from tinyprune.tasks.task import Task

log = logging.getLogger(__name__)


def prune_graphs(source: Path, task: Task, config: PruneConfig, folder: Path) -> list[str]:
    """Prune every int8 graph in the folder ``source`` into ``folder``, with its records. Returns the files it made."""
    structure, names = parse(config.structure, config.block_size), []
    folder.mkdir(parents=True, exist_ok=True)
    for form in exported(task, source):
        name = f"{form}.tflite"
        how = structure, config.final_sparsity, config.scope, config.importance
        found = prune_file(source / name, *how, folder / name, config.clusters)
        before = read_json(source / f"{form}.json", TFLiteArtifact)
        after = replace(
            before, sha256=found.sha256, file_bytes=found.file_bytes, tensors=found.tensors
        )
        write_json(folder / f"{form}.json", after)
        names += [name, f"{form}.json"]
    shutil.copy(source / "size.json", folder / "size.json")
    log.info(
        "%s: pruned without training; scoring its int8 graphs", folder.name
    )  # nothing is refused from here on
    write_json(folder / "quality.json", evaluate(None, task, "dev", folder))
    return [*names, *write_front_end(task, folder), "quality.json"]
