"""A folder that is ready to be published: a network, its front end, its card, their digests."""

from dataclasses import dataclass
from pathlib import Path

from tinyprune import pretrained
from tinyprune.errors import UsageError
from tinyprune.storage.digests import sha256
from tinyprune.storage.recorded import BASELINE
from tinyprune.storage.records import write_text
from tinyprune.storage.run_folder import Workspace
from tinyprune.storage.writing import writing

CARD, DIGESTS = "README.md", "SHA256SUMS"
_FRONT_END = "frontend.json"


@dataclass(frozen=True)
class Publication:
    """The files of a network that a device or another program needs.

    Attributes:
        graph: the ``.tflite``.
        front_end: the record of how recordings or examples become its input; None: there is none.
    """

    graph: Path
    front_end: Path | None

    @property
    def contents(self) -> dict[str, Path]:
        """Name in the published folder -> file. A front end is found by the stem of its graph."""
        found = {self.graph.name: self.graph}
        if self.front_end is not None:
            found[f"{self.graph.stem}.{_FRONT_END}"] = self.front_end
        return found


def of_variant(run: Path, variant: str, graph: str) -> Publication:
    """Return the files of a variant of a run. ``graph``: name of its ``.tflite``."""
    space = Workspace(run)
    path = space.variant(variant).folder / graph
    own = path.with_name(f"{path.stem}.{_FRONT_END}")
    shared = space.variant(BASELINE).folder / _FRONT_END
    return Publication(path, next(filter(Path.exists, (own, shared)), None))


def of_pretrained() -> Publication:
    """Return the files of the network in the package."""
    graph = pretrained.denoiser()
    return Publication(graph, graph.with_name(f"{graph.stem}.{_FRONT_END}"))


def publish(files: Publication, card: str, folder: Path) -> list[Path]:
    """Write the folder and return its files; ``sha256sum -c SHA256SUMS`` checks them.

    Files of an earlier time are written anew. Raises UsageError for a folder that has others,
    TinypruneError where it cannot be written.
    """
    contents = files.contents
    names = [*contents, CARD, DIGESTS]
    _check_folder(folder, names)
    for name, source in contents.items():
        with writing(folder / name) as part:
            part.write_bytes(source.read_bytes())
    write_text(folder / CARD, card)
    digests = [f"{sha256(folder / name)}  {name}\n" for name in (*contents, CARD)]
    write_text(folder / DIGESTS, "".join(digests))
    return [folder / name for name in names]


def _check_folder(folder: Path, names: list[str]) -> None:
    """Raise UsageError for what is no folder, or holds what publishing would leave there."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder: expected a new or an empty one")
    others = sorted(path.name for path in folder.iterdir() if path.name not in names)
    if others:
        raise UsageError(
            f"{folder} holds {others[0]}, which is not of this network: expected a new folder"
        )
