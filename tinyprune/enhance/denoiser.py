"""An int8 streaming network with its front end, frame by frame, exactly as the device runs it."""

import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tinyprune import pretrained
from tinyprune.array_types import Float32Array
from tinyprune.audio.device import record_beside
from tinyprune.audio.frontend import smallest_gain
from tinyprune.audio.streaming import StreamingFrontEnd
from tinyprune.enhance.engines import EngineMaker
from tinyprune.errors import UsageError
from tinyprune.storage.run_folder import Workspace
from tinyprune.tflite.interpreter import Int8Model

log = logging.getLogger(__name__)
FORM = "streaming"


def find_graph(run: Path, model: str | None) -> Path:
    """The int8 streaming graph of a model.

    Args:
        run: folder in which a variant is looked for.
        model: a file, a variant of the run, or "pretrained"; None: the newest variant of the run.

    Raises UsageError that says what there is, or what to do first; TinypruneError for a graph of
    the run that is not as it was exported.
    """
    if model == pretrained.NAME:
        return pretrained.denoiser()
    if model is not None and is_file(model):
        return _graph_of_file(Path(model))
    graphs = {}
    for variant in Workspace(run).variants():
        graphs[variant.name] = variant.folder / f"{FORM}.tflite"
    if not graphs:
        raise UsageError(
            f"no finished run in {run}: `tinyprune train`, then `tinyprune prune` make one; "
            f"or give --model {pretrained.NAME}"
        )
    if model is None:
        graph = _newest(run, [path for path in graphs.values() if path.exists()])
    else:
        graph = _graph_of_variant(run, graphs, model)
    Workspace(run).variant(graph.parent.name).is_done("export")  # raises for a changed file
    return graph


def is_file(model: str) -> bool:
    """Return whether a model is named by its path, and no variant."""
    path = Path(model)
    return path.suffix == ".tflite" or path.is_file()


def _graph_of_file(path: Path) -> Path:
    if path.suffix != ".tflite":
        raise UsageError(
            f"{path} is no .tflite: export it first (tinyprune export), "
            "then give its streaming.tflite"
        )
    return path


def _graph_of_variant(run: Path, graphs: Mapping[str, Path], name: str) -> Path:
    if name not in graphs:
        raise UsageError(
            f"no finished variant '{name}' in {run}: it has {', '.join(graphs)}; "
            "or give a FILE.tflite"
        )
    if not graphs[name].exists():
        raise UsageError(
            f"variant '{name}' has no int8 streaming graph: "
            f"`tinyprune export {name}` makes it, of speech"
        )
    return graphs[name]


def _newest(run: Path, graphs: Sequence[Path]) -> Path:
    if not graphs:
        raise UsageError(
            f"no variant in {run} has an int8 streaming graph: "
            f"`tinyprune export` makes it, of speech; or give --model {pretrained.NAME}"
        )
    path = max(graphs, key=lambda graph: (graph.parent / "train.json").stat().st_mtime_ns)
    log.info("model: %s, the newest variant in %s", path.parent.name, run)
    return path


class Denoiser:
    """One network for any number of channels, each with its own state.

    Attributes:
        name: of the variant, or of the file.
        front_end: how hops become features and masks become hops.
        latency_seconds: algorithmic latency, at the network's own sampling rate.
        frames, inference_seconds: how many frames the network has seen, and how long it took for
            them.

    Raises UsageError for a file that is not the int8 streaming graph of a speech-enhancement
    network.
    """

    def __init__(
        self,
        path: Path,
        frontend: Path | None = None,
        max_attenuation_db: float | None = None,
        make_engine: EngineMaker | None = None,
        is_foreign: bool = False,
    ) -> None:
        """Load a graph and its front end.

        Args:
            path: of the graph.
            frontend: record of the front end; None: the one beside the graph.
            max_attenuation_db: the most that any band is attenuated; None: the limit of the front
                end's record, if it has one.
            make_engine: of what computes each channel; None: LiteRT does.
            is_foreign: whether the graph comes from elsewhere and LiteRT runs in a process of its
                own.
        """
        self._path = path
        self._make_engine = make_engine
        self._is_foreign = is_foreign
        self._networks = [self._network()]
        self.name = path.parent.name if path.name == f"{FORM}.tflite" else path.name
        bands = _mask_bands(path, self._networks[0])
        self.front_end = StreamingFrontEnd(record_beside(path, frontend))
        if self.front_end.bands != bands:
            raise UsageError(
                f"{path} takes {bands} features, its front end makes {self.front_end.bands}: "
                "give the one that it was trained with as --frontend"
            )
        self.latency_seconds = self.front_end.latency / self.front_end.sample_rate
        if max_attenuation_db is not None:
            self.front_end.smallest_gain = smallest_gain(max_attenuation_db)
        self.frames = 0
        self.inference_seconds = 0.0

    @property
    def frame_seconds(self) -> float:
        """Mean inference time of a frame."""
        return self.inference_seconds / max(1, self.frames)

    def channels(self, count: int) -> "list[Channel]":
        """Channels at the beginning of a signal.

        Those of the signal before must not be used any more.
        """
        while len(self._networks) < count:
            self._networks.append(self._network())
        return [Channel(self, network) for network in self._networks[:count]]

    def _network(self) -> Int8Model:
        if self._make_engine is None:
            return Int8Model(self._path, is_foreign=self._is_foreign)
        return Int8Model(self._path, engine=self._make_engine())


class Channel:
    """One channel of one signal, from its beginning on."""

    def __init__(self, denoiser: Denoiser, network: Int8Model) -> None:
        self._denoiser = denoiser
        self._network = network
        self._state = denoiser.front_end.start()
        network.reset()

    def enhance(self, samples: Float32Array) -> Float32Array:
        """The enhanced hop (hop,) before the one that goes in.

        Of the first call it lies before the signal.
        """
        front_end = self._denoiser.front_end
        features = front_end.analyse(self._state, samples)
        started = time.perf_counter()
        mask = self._network.step(features[None])[0]
        self._denoiser.inference_seconds += time.perf_counter() - started
        self._denoiser.frames += 1
        return front_end.synthesise(self._state, mask)


def _mask_bands(path: Path, network: Int8Model) -> int:
    """Bands of a mask. Raises UsageError unless the network makes a mask of a frame of features."""
    frames, *bands = network.input_shape[1:]
    makes_mask = network.input_shape == network.output_shape
    if not makes_mask or len(bands) != 1 or frames != 1:
        inputs = "x".join(map(str, network.input_shape))
        outputs = "x".join(map(str, network.output_shape))
        raise UsageError(
            f"{path} is no streaming speech network ({inputs} -> {outputs}): "
            "expected one frame of features in, its mask out, "
            "as streaming.tflite of a speech run has it"
        )
    return int(bands[0])
