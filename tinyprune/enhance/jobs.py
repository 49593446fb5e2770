"""Speech enhancement of a file, a folder or a pipe: what ``tinyprune enhance`` does."""

import logging
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import cast

from tinyprune.array_types import Float32Array
from tinyprune.audio.files import read_header
from tinyprune.config import TargetConfig
from tinyprune.enhance import files, pipe
from tinyprune.enhance.denoiser import Denoiser, find_graph, is_file
from tinyprune.enhance.engines import engine_maker
from tinyprune.enhance.files import Format, Write
from tinyprune.enhance.live import run_live
from tinyprune.enhance.picture import Spectrogram, draw
from tinyprune.enhance.signal import SignalStream
from tinyprune.errors import TinypruneError, UsageError
from tinyprune.npu import targets
from tinyprune.progress import track
from tinyprune.tflite.response import is_constant
from tinyprune.units import format_seconds

log = logging.getLogger(__name__)
PIPE = "-"


@dataclass(frozen=True)
class NetworkChoice:
    """The network that enhances.

    Attributes:
        run: folder in which a variant is looked for.
        model: variant or ``.tflite``; None: the newest variant.
        frontend: record of its front end; None: the one beside it.
        max_attenuation_db: the most that any band is attenuated; None: as the network's record.
        engine: what computes it: litert, tflm or stream (enhance/engines.py).
        target: accelerator of a stream.
    """

    run: Path
    model: str | None = None
    frontend: Path | None = None
    max_attenuation_db: float | None = None
    engine: str = "litert"
    target: TargetConfig = TargetConfig()

    def load(self) -> Denoiser:
        """Return the network. Raises UsageError where there is none of this name."""
        graph = find_graph(self.run, self.model)
        is_foreign = self.model is not None and is_file(self.model)
        maker = engine_maker(self.engine, graph, targets.resolve_config(self.target))
        if maker and is_foreign:
            # Engines run in this process: what would crash it raises here.
            is_constant(graph, is_foreign=True)
        return Denoiser(graph, self.frontend, self.max_attenuation_db, maker, is_foreign)


def enhance(
    source: str,
    target: str,
    network: NetworkChoice,
    raw: int | None = None,
    plot: Path | None = None,
) -> None:
    """Enhance ``source`` into ``target``: files, folders, or ``-`` for standard input and output.

    Args:
        source, target: what to read and where to write it; a file goes into a folder under its own
            name.
        network: the one to use.
        raw: sampling rate of what goes through ``-`` as raw mono 16-bit PCM; without it that is
            WAV.
        plot: picture of the spectrograms before and after.

    Raises UsageError for what makes no sense, TinypruneError for what cannot be read or written; of
    a folder, at the end, for all such files together.
    """
    is_folder = source != PIPE and Path(source).is_dir()
    if PIPE not in (source, target) and not is_folder and Path(target).is_dir():
        target = str(Path(target, Path(source).name))
    _check_options(source, target, is_folder, raw, plot)
    _check_paths(source, target, is_folder)
    pairs = files.pairs(Path(source), Path(target)) if is_folder else []
    work = Enhancement(network.load())
    if is_folder:
        work.folder(source, pairs)
    else:
        work.signal(source, target, raw, plot)
    log.info("%s", work.summary(target if target != PIPE else source))
    if work.bad:
        raise TinypruneError(
            f"{len(work.bad)} of {len(pairs)} files were not enhanced, the last: {work.bad[-1]}"
        )


def live(devices: Sequence[str], network: NetworkChoice) -> None:
    """Enhance the microphone's sound into a loudspeaker until Ctrl-C, and log how it went."""
    denoiser = network.load()
    session = run_live(denoiser, devices)
    hop_ms = denoiser.front_end.hop_ms
    log.info(
        "live: %s, samples came too late %d times, inference %s per frame of %.3g ms",
        format_seconds(session.hops * hop_ms / 1000),
        session.late,
        format_seconds(denoiser.frame_seconds),
        hop_ms,
    )


class Enhancement:
    """Signals through a network, one after the other.

    Attributes:
        denoiser: the network.
        audio_seconds: length of what went through. seconds: how long it took, without reading and
            writing.
        bad: what was wrong with files of a folder.
    """

    def __init__(self, denoiser: Denoiser) -> None:
        self.denoiser = denoiser
        self.audio_seconds = self.seconds = 0.0
        self.bad: list[str] = []
        self._resampling_seconds = 0.0

    def folder(self, source: str, pairs: list[tuple[Path, Path]]) -> None:
        """Enhance every pair (input, output); an error of one is logged and kept in ``bad``."""
        total = sum(_blocks(path) for path, _ in pairs)
        for _ in track(self._each(pairs), f"enhancing {source}", total):
            pass

    def signal(self, source: str, target: str, raw: int | None, plot: Path | None) -> None:
        """Enhance one file or pipe into another; the picture is drawn when all is written."""
        if source == PIPE:
            stdin = cast(BufferedReader, sys.stdin.buffer)
            audio, blocks = pipe.open_pipe(stdin, raw, self.denoiser.front_end.hop_ms)
            total = None
        else:
            audio, blocks = files.open_file(Path(source))
            total = files.blocks(audio.frames) if audio.frames else None
        pictured = (Spectrogram(audio.rate), Spectrogram(audio.rate)) if plot else None
        steps = self._into(target, audio, blocks, raw, pictured, is_live=source == PIPE)
        for _ in track(steps, f"enhancing {source}", total):
            pass
        if plot and pictured:
            draw(plot, f"{Path(source).name}, enhanced by {self.denoiser.name}", *pictured)

    def summary(self, name: str) -> str:
        """Real-time factor, latency and inference time, in one line."""
        hop_ms = self.denoiser.front_end.hop_ms
        speed = self.audio_seconds / max(self.seconds, 1e-9)
        speed_text = f"{speed:.0f}" if speed >= 10 else f"{speed:.1f}"
        audio = format_seconds(self.audio_seconds)
        work = format_seconds(self.seconds)
        inference = format_seconds(self.denoiser.frame_seconds)
        parts = [
            f"{name}: {audio} of audio in {work}",
            f"{speed_text} x real time",
            f"inference {inference} per frame of {hop_ms:.3g} ms",
            f"algorithmic latency {self._latency()}",
        ]
        return ", ".join(parts)

    def _latency(self) -> str:
        latency = f"{self.denoiser.latency_seconds * 1000:.0f} ms"
        if self._resampling_seconds:
            latency += f" + {self._resampling_seconds * 1000:.1f} ms of resampling"
        return latency

    # --- one after the other

    def _each(self, pairs: list[tuple[Path, Path]]) -> Iterator[None]:
        for source, target in pairs:
            try:
                files.require_other(source, target)
                yield from self._into(str(target), *files.open_file(source))
            except TinypruneError as error:
                log.warning("%s", error)
                self.bad.append(str(error))

    def _into(
        self,
        target: str,
        audio: Format,
        blocks: Iterator[Float32Array],
        raw: int | None = None,
        pictured: tuple[Spectrogram, Spectrogram] | None = None,
        is_live: bool = False,
    ) -> Iterator[None]:
        if target == PIPE:
            write = pipe.create_pipe(sys.stdout.buffer, audio, raw)
            yield from self._through(audio, blocks, write, pictured, is_live)
        else:
            with files.create_file(Path(target), audio) as write:
                yield from self._through(audio, blocks, write, pictured, is_live)

    def _through(
        self,
        audio: Format,
        blocks: Iterator[Float32Array],
        write: Write,
        pictured: tuple[Spectrogram, Spectrogram] | None,
        is_live: bool,
    ) -> Iterator[None]:
        """Enhance block by block; yields after each."""
        stream = SignalStream(self.denoiser, audio.rate, audio.channels, is_live)
        for block in blocks:
            made = stream.push(block)
            write(made)
            _draw(pictured, block, made)
            yield
        rest = stream.finish()
        write(rest)
        _draw(pictured, rest[:0], rest)
        self._resampling_seconds = stream.resampling_seconds
        self.audio_seconds += stream.samples / audio.rate
        self.seconds += stream.seconds


def _draw(
    pictured: tuple[Spectrogram, Spectrogram] | None, before: Float32Array, after: Float32Array
) -> None:
    if pictured is not None:
        pictured[0].push(before)
        pictured[1].push(after)


def _blocks(path: Path) -> int:
    """Number of blocks in which a file is read; 0 where it cannot be."""
    try:
        return files.blocks(read_header(path).frames)
    except TinypruneError:
        return 0


def _check_options(
    source: str, target: str, is_folder: bool, raw: int | None, plot: Path | None
) -> None:
    """Raise UsageError for options that contradict each other, before anything is loaded."""
    if is_folder and target == PIPE:
        raise UsageError(f"{source} is a folder: give a folder to write to")
    if raw and PIPE not in (source, target):
        raise UsageError("--raw is about what goes through a pipe: give - as input or output")
    if plot is None:
        return
    if is_folder:
        raise UsageError("--plot is of one file: give a file instead of a folder")
    if plot.suffix.lower() != ".png":
        raise UsageError(f"--plot {plot}: expected a name that ends in .png")


def _check_paths(source: str, target: str, is_folder: bool) -> None:
    """Raise UsageError for a missing input, or an output that cannot be written."""
    if source != PIPE and not Path(source).exists():
        raise UsageError(f"there is no file or folder {source}")
    if target != PIPE and not is_folder:
        files.container(Path(target))
        files.require_other(Path(source), Path(target))
