"""Compilation with Vela, and a report that prints itself as a table."""

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from tinyprune.artifacts.resources import LOWER_AUTO, PERFORMANCE, CompiledArtifact, ResourceReport
from tinyprune.npu import targets
from tinyprune.npu.lowering import compile_lowered
from tinyprune.report.render import cost_tables
from tinyprune.report.render.terminal import WIDTH, to_text
from tinyprune.tflite.flatbuffer import read_file


class CompiledNetwork:
    """A network that Vela compiled; its ``repr`` is the table of its costs, in Jupyter as HTML.

    Attributes:
        artifact: the files and their SHA-256.
        report: costs as numbers, the unit of each in its name (``flash_bytes``, ``cycles``, ...).
    """

    def __init__(self, artifact: CompiledArtifact) -> None:
        self.artifact = artifact

    @property
    def report(self) -> ResourceReport:
        """Return the costs of the network on its target."""
        return self.artifact.report

    @property
    def path(self) -> Path:
        """Return the compiled ``.tflite``."""
        return self.artifact.path

    def __repr__(self) -> str:
        return to_text(cost_tables.format_compiled(self.artifact))

    def _repr_html_(self) -> str:
        console = Console(file=io.StringIO(), width=WIDTH, record=True)
        console.print(cost_tables.format_compiled(self.artifact))
        return console.export_html(inline_styles=True, code_format="<pre>{code}</pre>")


def compile(
    path: str | Path,
    npu: str = "ethos-u55-128",
    *,
    system_config: str | None = None,
    memory_mode: str | None = None,
    vela_config: str | Path | None = None,
    lower: str = LOWER_AUTO,
    optimise: str = PERFORMANCE,
    arena_bytes: int | None = None,
    layers: Sequence[str] = (),
    output: str | Path | None = None,
) -> CompiledNetwork:
    """Compile an int8 ``.tflite`` for an Ethos-U with Vela.

    What is compiled already, with the same settings and the same Vela, is not compiled again.

    Args:
        path: the ``.tflite``.
        npu: accelerator or own target (``tinyprune list npus``).
        system_config, memory_mode: None: the accelerator's default.
        vela_config: a configuration file of your own, in Vela's format.
        lower: whether kernels with blocks of zeros become smaller operators: "auto", where that
            takes fewer cycles, or "never".
        optimise: what Vela prefers, "performance", or "size": less SRAM, maybe for more cycles.
        arena_bytes: SRAM that Vela tries not to exceed when it prefers performance.
        layers: the Keras layer of every operator (``TFLiteArtifact.layers``).
        output: folder of the result; None: ``<stem>-<target>`` beside the file.

    Raises:
        UsageError: a name that does not exist, or a file that is no int8 ``.tflite``.
        TinypruneError: Vela is missing or fails.
    """
    source = Path(path)
    own = Path(vela_config) if vela_config else None
    target = replace(
        targets.resolve(npu, system_config, memory_mode, own),
        lower=lower,
        optimise=optimise,
        arena_bytes=arena_bytes,
    )
    folder = Path(output) if output else source.parent / f"{source.stem}-{target.name}"
    return CompiledNetwork(compile_lowered(read_file(source), target, folder, layers))
