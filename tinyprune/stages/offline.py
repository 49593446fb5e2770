"""The offline control: int8 graphs that are pruned as they are, without training."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tinyprune.config import OfflinePruning
from tinyprune.errors import UsageError
from tinyprune.sparsity.structure import DEFAULT_BLOCK_SIZE, parse
from tinyprune.stages.export import Qualities, ensure_exported, named
from tinyprune.stages.run import Run, open_run
from tinyprune.storage.digests import sha256
from tinyprune.storage.run_folder import Variant

if TYPE_CHECKING:
    from tinyprune.compress.offline import OfflineResult

log = logging.getLogger(__name__)
PROBES = 16  # inputs to which a pruned file has to respond


def prune_offline(
    run: Path | Run,
    path: Path,
    config: OfflinePruning,
    output: Path | None,
    data: Path | None = None,
) -> "Qualities | OfflineResult":
    """Prune a finished int8 ``.tflite`` without training.

    A graph of the run becomes a variant of that run. Any other file is pruned into a new file.

    Args:
        run: the run that ``path`` may be a graph of.
        path: the ``.tflite``.
        config: structure, sparsity and clusters.
        output: the file to write, also of a graph of the run; default: beside ``path``.
        data: inputs that the new file is compared on (stages/output_error.py); default: noise.

    Returns the quality of the new variant on dev, as (variant, quality) pairs, or the zeros and the
    output error of the new file. Raises UsageError for data that do not fit, or beside a graph of
    the run, which is scored on the data of the run.
    """
    parse(
        config.structure, config.block_size or DEFAULT_BLOCK_SIZE
    )  # what does not exist is said before anything is loaded
    folder = run.space.root if isinstance(run, Run) else run
    source = _variant_of(folder, path)
    if source is None or output is not None:
        return _prune_file(path, config, output, data)
    if data is not None:
        raise UsageError(
            f"--data {data}: {path} is a graph of a run, which is scored on the data of the run: "
            "leave it out, or give --output FILE"
        )
    with open_run(run) as opened:
        variant = prune_variant_offline(opened, opened.require(source), config.of(source))
        return named(variant, ensure_exported(opened, variant))


def prune_variant_offline(run: Run, source: Variant, config: OfflinePruning) -> Variant:
    """Prune the int8 graphs of a variant of an opened run into a variant of their own."""
    ensure_exported(run, source)
    variant = run.space.variant(config.variant)
    config = config.settled(variant.claimed_as("offline"))
    graphs = {path.stem: sha256(path) for path in sorted(source.folder.glob("*.tflite"))}
    with variant.claimed({"offline": config, "source": source.name, "tflite_sha256": graphs}):
        if variant.is_done("export"):
            log.info("%s: made already, in %s", variant.name, variant.folder)
        else:
            from tinyprune.stages.offline_graphs import prune_graphs

            outputs = prune_graphs(source.folder, run.task, config, variant.folder)
            variant.finish("train", {}, ["size.json"])
            variant.finish("export", {}, outputs)
    return variant


def _prune_file(
    path: Path, config: OfflinePruning, output: Path | None, data: Path | None
) -> "OfflineResult":
    from tinyprune.compress.offline import default_output, prune_file
    from tinyprune.stages.output_error import output_error, representative_inputs

    structure = parse(config.structure, config.block_size or DEFAULT_BLOCK_SIZE)
    sparsity = config.final_sparsity
    place = output or default_output(path, structure, sparsity, config.clusters)
    inputs = representative_inputs(path, data)
    probes = None  # made in the range of the input
    if data is not None and inputs is not None:
        every = max(1, len(inputs.values) // PROBES)
        probes = list(inputs.values[::every])
    result = prune_file(
        path,
        structure,
        sparsity,
        config.scope,
        config.settled_importance,
        place,
        config.clusters,
        config.settled_floor,
        probes,
    )
    if inputs is None:
        return result
    return replace(result, error=output_error(path, result.path, inputs))


def _variant_of(run: Path, path: Path) -> str | None:
    """Return the name of the variant of a run that a ``.tflite`` belongs to, if any."""
    folder = path.resolve().parent
    return folder.name if folder.parent == (run / "variants").resolve() else None
