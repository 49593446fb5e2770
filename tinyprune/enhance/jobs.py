"""Speech enhancement of a file, a folder or a pipe: what ``tinyprune enhance`` does."""

import logging
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tinyprune.array_types import Float32Array
from tinyprune.audio.files import read_header
from tinyprune.enhance import files, pipe
from tinyprune.enhance.denoiser import Denoiser, find
from tinyprune.enhance.files import Format, Write
from tinyprune.enhance.live import talk
from tinyprune.enhance.picture import Spectrogram, draw
from tinyprune.enhance.signal import SignalStream, resampling_seconds
from tinyprune.errors import TinypruneError, UsageError
from tinyprune.progress import track
from tinyprune.units import format_seconds

log = logging.getLogger(__name__)
PIPE = "-"


def enhance(
    source: str,
    target: str,
    run: Path,
    model: str | None = None,
    frontend: Path | None = None,
    raw: int | None = None,
    plot: Path | None = None,
) -> None:
    """Enhance ``source`` into ``target``: files, folders, or ``-`` for standard input and output.

    Args:
        source, target: what to read and where to write it; a file goes into a folder under its own
            name.
        run: folder in which a variant is looked for; model: variant or ``.tflite``, default the
            newest variant.
        frontend: record of the network's front end, default the one beside it.
        raw: sampling rate of what goes through ``-`` as raw mono 16-bit PCM; without it that is
            WAV.
        plot: picture of the spectrograms before and after.

    Raises UsageError for what makes no sense, TinypruneError for what cannot be read or written; of
    a folder, at the end, for all such files together.
    """
    is_folder = source != PIPE and Path(source).is_dir()
    if PIPE not in (source, target) and not is_folder and Path(target).is_dir():
        target = str(Path(target, Path(source).name))
    _check(source, target, is_folder, raw, plot)
    pairs = files.pairs(Path(source), Path(target)) if is_folder else []
    work = Enhancement(Denoiser(find(run, model), frontend))
    if is_folder:
        work.folder(source, pairs)
    else:
        work.signal(source, target, raw, plot)
    log.info("%s", work.summary(target if target != PIPE else source))
    if work.bad:
        raise TinypruneError(
            f"{len(work.bad)} of {len(pairs)} files were not enhanced, the last: {work.bad[-1]}"
        )


def live(
    devices: Sequence[str], run: Path, model: str | None = None, frontend: Path | None = None
) -> None:
    """Enhance what a microphone hears into a loudspeaker until Ctrl-C, and say how it went."""
    denoiser = Denoiser(find(run, model), frontend)
    heard, front_end = talk(denoiser, devices), denoiser.front_end
    log.info(
        "live: %s, samples came too late %d times, inference %s per frame of %.3g ms",
        *(format_seconds(heard.hops * front_end.hop_ms / 1000), heard.late),
        *(format_seconds(denoiser.frame_seconds), front_end.hop_ms),
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
        self._rates: set[int] = set()

    def folder(self, source: str, pairs: list[tuple[Path, Path]]) -> None:
        """Every pair (read, write); what is wrong with one is said and kept, and the others are done."""
        total = sum(_blocks(path) for path, _ in pairs)
        for _ in track(self._each(pairs), f"enhancing {source}", total):
            pass

    def signal(self, source: str, target: str, raw: int | None, plot: Path | None) -> None:
        """One file or pipe into another; the picture is drawn when all of it is written."""
        if source == PIPE:
            found, blocks = pipe.open_pipe(sys.stdin.buffer, raw, self.denoiser.front_end.hop_ms)
        else:
            found, blocks = files.open_file(Path(source))
        shown = (Spectrogram(found.rate), Spectrogram(found.rate)) if plot else None
        total = files.blocks(found.frames) if source != PIPE and found.frames else None
        for _ in track(self._into(target, found, blocks, raw, shown), f"enhancing {source}", total):
            pass
        if plot and shown:
            draw(plot, f"{Path(source).name}, enhanced by {self.denoiser.name}", *shown)

    def summary(self, name: str) -> str:
        """Real-time factor, latency and inference time, in one line."""
        front_end = self.denoiser.front_end
        speed = self.audio_seconds / max(self.seconds, 1e-9)
        later = max((resampling_seconds(rate, front_end) for rate in self._rates), default=0.0)
        parts = [
            f"{name}: {format_seconds(self.audio_seconds)} of audio in {format_seconds(self.seconds)}",
            f"{speed:.{0 if speed >= 10 else 1}f} x real time",
            f"inference {format_seconds(self.denoiser.frame_seconds)} per frame of {front_end.hop_ms:.3g} ms",
            f"algorithmic latency {self.denoiser.latency_seconds * 1000:.0f} ms"
            + (f" + {later * 1000:.0f} ms of resampling" if later else ""),
        ]
        return ", ".join(parts)

    # --- one after the other
    # --------------------------------------------------------------------------------------

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
        found: Format,
        blocks: Iterator[Float32Array],
        raw: int | None = None,
        shown: tuple[Spectrogram, Spectrogram] | None = None,
    ) -> Iterator[None]:
        if target == PIPE:
            yield from self._through(
                found, blocks, pipe.create_pipe(sys.stdout.buffer, found, raw), shown
            )
        else:
            with files.create_file(Path(target), found) as write:
                yield from self._through(found, blocks, write, shown)

    def _through(
        self,
        found: Format,
        blocks: Iterator[Float32Array],
        write: Write,
        shown: tuple[Spectrogram, Spectrogram] | None,
    ) -> Iterator[None]:
        """Yields after every block."""
        stream = SignalStream(self.denoiser, found.rate, found.channels)
        for block in blocks:
            made = stream.push(block)
            write(made)
            _show(shown, block, made)
            yield
        rest = stream.finish()
        write(rest)
        _show(shown, rest[:0], rest)
        self._rates.add(found.rate)
        self.audio_seconds += stream.given / found.rate
        self.seconds += stream.seconds


def _show(
    shown: tuple[Spectrogram, Spectrogram] | None, before: Float32Array, after: Float32Array
) -> None:
    for spectrogram, samples in zip(shown or (), (before, after), strict=False):
        spectrogram.push(samples)


def _blocks(path: Path) -> int:
    """In how many blocks a file is read; 0 where it cannot be."""
    try:
        return files.blocks(read_header(path).frames)
    except TinypruneError:
        return 0


def _check(source: str, target: str, is_folder: bool, raw: int | None, plot: Path | None) -> None:
    """Raise UsageError for a command line that makes no sense, before anything is loaded."""
    if is_folder and target == PIPE:
        raise UsageError(f"{source} is a folder: give a folder to write to")
    if raw and PIPE not in (source, target):
        raise UsageError("--raw is about what goes through a pipe: give - as input or output")
    if plot and is_folder:
        raise UsageError("--plot is of one file: give a file instead of a folder")
    if plot and plot.suffix.lower() != ".png":
        raise UsageError(f"--plot {plot}: expected a name that ends in .png")
    if source != PIPE and not Path(source).exists():
        raise UsageError(f"there is no file or folder {source}")
    if target != PIPE and not is_folder:
        files.container(Path(target))
        files.require_other(Path(source), Path(target))
