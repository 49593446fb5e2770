"""The run folder: configurations of variants, their finished stages, one writer at a time.

::

    RUN/data/                           decoded audio
    RUN/variants/NAME/variant.json      the configuration that the variant stands for
    RUN/variants/NAME/STAGE.json        a finished stage: inputs, SHA-256 of its files, command,
                                        versions, number of threads
    RUN/variants/NAME/refused.json      the reason why its training or its int8 graph was refused
    RUN/variants/NAME/...               models, history, checkpoints, compiled networks
    RUN/summary-TARGET.json             the resource summary
"""

import dataclasses
import json
import re
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tinyprune.errors import CheckFailed, TinypruneError, UsageError
from tinyprune.storage.digests import (
    CHANGED,
    UNCHANGED,
    change,
    read_sealed,
    sealed_state,
    sha256,
    stamp_of,
    state_of,
    write_sealed,
)
from tinyprune.storage.environment import environment
from tinyprune.storage.recorded import BASELINE, Recorded
from tinyprune.storage.records import to_jsonable
from tinyprune.storage.writing import held, make_folder
from tinyprune.version import __version__

STAGES = ("train", "export", "compile")
CLAIM = "variant.json"
CHECKPOINT = "checkpoint.npz"
#: The weights of the best epoch.
BEST = "best.npz"
#: The epochs, a line each.
HISTORY = "history.csv"
REFUSED = "refused.json"
LOCK = ".lock"
COMPILE_LOCK = ".compile.lock"
_AGAIN = "delete it and run again"
#: The records of a run beside those of its stages.
RECORDS = (
    "*.json",
    "sensitivity/*.json",
    "sweep/*.json",
    "sweep/trials/*.json",
    "variants/*/compiled/*/*.json",
)


@dataclass(frozen=True)
class Variant:
    """One model of a run.

    Attributes:
        name: in the run.
        folder: with all of its files.
    """

    name: str
    folder: Path

    def claim(self, configuration: Mapping[str, Any]) -> None:
        """Write down what this variant is.

        A claim that nothing was made for, of a start that failed, is replaced. Raises UsageError
        if the variant exists with another configuration.
        """
        claim = _as_json(configuration)
        path = self.folder / CLAIM
        if not path.exists():
            write_sealed(path, claim)
            return
        differences = _differences(_completed(self.configuration(), configuration), claim)
        if differences and not self._is_begun():
            shutil.rmtree(self.folder)
            write_sealed(path, claim)
        elif differences:
            raise UsageError(
                f"{self.folder} exists with another configuration ({'; '.join(differences[:3])}): "
                "choose another --name or --run, or delete that folder"
            )

    @contextmanager
    def claimed(self, configuration: Mapping[str, Any]) -> Iterator[None]:
        """Claim around a stage; where the stage raises UsageError, a new variant leaves nothing.

        Where a training is refused by CheckFailed, it was not begun: the name is free for another
        configuration, and the reason stays until then.
        """
        is_new = not (self.folder / CLAIM).exists()
        self.claim(configuration)
        (self.folder / REFUSED).unlink(missing_ok=True)
        try:
            with held(self.folder / CLAIM):
                yield
        except UsageError:
            if is_new:
                shutil.rmtree(self.folder)
                with suppress(OSError):  # other variants are in it
                    self.folder.parent.rmdir()
            raise
        except CheckFailed as refusal:
            if not self._stage_paths():
                (self.folder / CHECKPOINT).unlink(missing_ok=True)
                self._note_refusal(refusal)
            raise

    @contextmanager
    def noting_refusal(self) -> Iterator[None]:
        """Keep the reason where what is made of its training is refused by CheckFailed.

        It stays until the same passes.
        """
        try:
            yield
        except CheckFailed as refusal:
            self._note_refusal(refusal)
            raise
        (self.folder / REFUSED).unlink(missing_ok=True)

    def _note_refusal(self, refusal: CheckFailed) -> None:
        write_sealed(self.folder / REFUSED, {"reason": str(refusal)})

    def refusal(self) -> str:
        """Return the reason why its training or graph was refused; empty where it was not."""
        path = self.folder / REFUSED
        if not path.exists():
            return ""
        return str(read_sealed(path, f"delete {path}")["reason"])

    def configuration(self) -> dict[str, Any]:
        """Return what the variant was claimed as.

        Raises TinypruneError if it cannot be read, or is not as it was written.
        """
        return read_sealed(self.folder / CLAIM, f"put it back, or delete {self.folder}")

    def claim_sha256(self) -> str:
        """Return the SHA-256 of the claim; empty where there is none."""
        path = self.folder / CLAIM
        if path.exists():
            return sha256(path)
        return ""

    def claimed_as(self, name: str) -> dict[str, Any] | None:
        """Return a configuration in the claim of a variant; None where nothing was made for it."""
        if self._is_begun():
            return self.configuration().get(name)
        return None

    def is_done(self, stage: str, inputs: Mapping[str, Any] | None = None) -> bool:
        """Return whether a stage is finished, for this claim and these inputs, and has its files.

        ``inputs``: None: whatever they were. Raises TinypruneError, which says what to do, for a
        file that is not as the stage made it.
        """
        record = self._found(stage, inputs)
        if record is None:
            return False
        self._verify(record)
        return True

    def is_intact(self, stage: str, inputs: Mapping[str, Any] | None = None) -> bool:
        """Return whether a stage is finished with these inputs, and every file as it made it."""
        record = self._found(stage, inputs)
        if record is None:
            return False
        return set(self._states(record).values()) == {UNCHANGED}

    def has_files(self, stage: str) -> bool:
        """Return whether a stage is finished and has its files, as it made them or not."""
        return self._found(stage, None) is not None

    def verify(self, stage: str) -> None:
        """Raise TinypruneError, which says what to do, for a file that a stage did not make so."""
        self._verify(self._record(stage))

    def verify_all(self) -> None:
        """Raise TinypruneError for a file that no stage made as it is now."""
        for record in self.stages():
            self._verify(record)

    def verified(self, stage: str, name: str) -> Path:
        """Return the path of a file that a finished stage made.

        Raises TinypruneError, which says what to do, where it is not as the stage made it.
        """
        return self._verified(self._record(stage), name)

    def files(self, stage: str) -> dict[str, str]:
        """Return the state of every file that a finished stage made."""
        return self._states(self._record(stage))

    def check(self) -> dict[Path, str]:
        """Return the state of its claim, of every record of a stage and of every file of those.

        All content is read.
        """
        states = {self.folder / CLAIM: sealed_state(self.folder / CLAIM)}
        for path in self._stage_paths():
            states[path] = sealed_state(path)
            if states[path] == CHANGED:
                continue
            for name, digest in read_sealed(path, _AGAIN)["outputs"].items():
                states[self.folder / name] = state_of(self.folder / name, digest)
        return states

    def finish(self, stage: str, inputs: Mapping[str, Any], outputs: Sequence[str]) -> None:
        """Record a finished stage.

        ``outputs``: names, in the folder, of the files that it made.
        """
        record = {
            "stage": stage,
            "inputs": inputs,
            "outputs": {name: sha256(self.folder / name) for name in outputs},
            "stamps": {name: stamp_of(self.folder / name) for name in outputs},
            "claim_sha256": self.claim_sha256(),
            "tinyprune": __version__,
            "environment": environment(),
            "command": _command(),
            "made": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        write_sealed(self.folder / f"{stage}.json", record)

    def stages(self) -> list[dict[str, Any]]:
        """Return the records of its finished stages, in the order in which they were finished."""
        records = [read_sealed(path, _AGAIN) for path in self._stage_paths()]
        return sorted(
            records, key=lambda record: (STAGES.index(Path(record["stage"]).name), record["stage"])
        )

    def output_sha256(self, stage: str, name: str) -> str:
        """Return the SHA-256 of a file that a finished stage made."""
        return str(self._record(stage)["outputs"][name])

    def _is_begun(self) -> bool:
        """Return whether an epoch of its training or a stage was finished."""
        return (self.folder / CHECKPOINT).exists() or bool(self._stage_paths())

    def _stage_paths(self) -> list[Path]:
        paths = [*self.folder.glob("*.json"), *self.folder.glob("compiled/*/compile.json")]
        return [path for path in paths if path.stem in STAGES]

    def _found(self, stage: str, inputs: Mapping[str, Any] | None) -> dict[str, Any] | None:
        """Return the record of a stage that is finished with these inputs and has its files."""
        if not (self.folder / f"{stage}.json").exists():
            return None
        record = self._record(stage)
        if inputs is not None and record["inputs"] != _as_json(inputs):
            return None
        if record.get("claim_sha256", "") not in ("", self.claim_sha256()):
            self.configuration()  # says so where the claim is not as it was written
            return None
        if not all((self.folder / name).exists() for name in record["outputs"]):
            return None
        return record

    def _verify(self, record: Mapping[str, Any]) -> None:
        for name in record["outputs"]:
            self._verified(record, name)

    def _verified(self, record: Mapping[str, Any], name: str) -> Path:
        path = self.folder / name
        if _state(record, path, name) == CHANGED:
            raise TinypruneError(change(path, record.get("command", "")))
        return path

    def _states(self, record: Mapping[str, Any]) -> dict[str, str]:
        """Return the state of every file in the record of a stage."""
        return {name: _state(record, self.folder / name, name) for name in record["outputs"]}

    def _record(self, stage: str) -> dict[str, Any]:
        return read_sealed(self.folder / f"{stage}.json", _AGAIN)


class RunIsBusy(TinypruneError):
    """A run folder that another process works in."""


class Workspace:
    """A run folder.

    Attributes:
        root: its path.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def data(self) -> Path:
        """Folder of decoded audio."""
        return self.root / "data"

    def variant(self, name: str) -> Variant:
        """Return a variant by name, existing or not.

        Raises UsageError for a name that cannot be a folder.
        """
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
            raise UsageError(
                f"{name!r} cannot be the name of a variant: "
                "expected letters, digits, '-', '_' and '.'"
            )
        return Variant(name, self.root / "variants" / name)

    def variants(self) -> list[Variant]:
        """Return the variants that are trained, baseline first, then in order of creation."""
        variants = self._variants_with("train.json")
        return sorted(variants, key=lambda variant: variant.name != BASELINE)

    def begun(self) -> list[Variant]:
        """Return all variants, those whose training is not finished last."""
        variants = [*self.variants(), *self._variants_with(CLAIM)]
        by_name = {variant.name: variant for variant in variants}
        return list(by_name.values())

    def check(self) -> dict[Path, str]:
        """Return the state of every record, and of every file that a finished stage made.

        States are those of :mod:`tinyprune.storage.digests`. Raises UsageError for no run.
        """
        begun = self.begun()
        if not begun:
            raise self.no_run()
        states: dict[Path, str] = {}
        for variant in begun:
            states.update(variant.check())
        for pattern in RECORDS:
            for path in sorted(self.root.glob(pattern)):
                states.setdefault(path, sealed_state(path))
        return states

    def no_run(self) -> UsageError:
        """Return the error for a folder that is no run, or not yet one."""
        advice = self.advice("run `tinyprune train` first, or choose another --run")
        return UsageError(f"there is no run in {self.root}: {advice}")

    def advice(self, otherwise: str) -> str:
        """Return what to do where something is missing: wait, if another process works here."""
        if not (self.root / LOCK).exists():
            return otherwise
        try:
            with self.locked():
                return otherwise
        except RunIsBusy:
            return "another tinyprune works in it, wait for that"
        except TinypruneError:  # nobody can write here, so nobody works here
            return otherwise

    def _variants_with(self, record: str) -> list[Variant]:
        """Return the variants that have a record, oldest first."""
        paths = (self.root / "variants").glob(f"*/{record}")
        oldest_first = sorted(paths, key=lambda path: path.stat().st_mtime_ns)
        return [Variant(path.parent.name, path.parent) for path in oldest_first]

    @contextmanager
    def locked(self, name: str = LOCK) -> Iterator["Workspace"]:
        """Keep other processes out: all of them, or those that take the lock of the same name.

        Raises TinypruneError if one is in, or the folder cannot be written.
        """
        from filelock import FileLock, Timeout  # only writers need it: a help text is shown sooner

        try:
            make_folder(self.root)
            lock = FileLock(self.root / name, timeout=0, is_singleton=True)
            lock.acquire()
        except Timeout:
            raise RunIsBusy(
                f"another tinyprune works in {self.root}: wait for it, or choose another --run"
            ) from None
        except OSError as error:
            raise TinypruneError(
                f"cannot write in {self.root}: {error.strerror}; choose another --run"
            ) from error
        try:
            with held(self.root / name):
                yield self
        finally:
            lock.release()


def _state(record: Mapping[str, Any], path: Path, name: str) -> str:
    """Return the state of a file that the stage of a record made."""
    stamp = record.get("stamps", {}).get(name, "")
    return state_of(path, record["outputs"][name], stamp)


def _command() -> str:
    """Return the command line of this process, its program by name only."""
    program = Path(sys.argv[0])
    name = program.parent.name if program.name == "__main__.py" else program.name
    return shlex.join([name, *sys.argv[1:]])


def _as_json(value: Any) -> Any:
    """Return a value as it is read back from JSON: no tuples, no paths."""
    return json.loads(json.dumps(to_jsonable(value)))


def _completed(old: dict[str, Any], configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Return an older claim, completed with the defaults of settings that came after it."""
    completed = dict(old)
    for name, value in configuration.items():
        if dataclasses.is_dataclass(value) and isinstance(old.get(name), dict):
            completed[name] = {**_defaults(value), **old[name]}
    return completed


def _defaults(value: Any) -> dict[str, Any]:
    """Return the defaults of a recorded dataclass as plain JSON types."""
    if isinstance(value, Recorded):
        return value.default_record()
    defaults = {}
    for field in dataclasses.fields(value):
        if field.default is not dataclasses.MISSING:
            defaults[field.name] = field.default
    plain: dict[str, Any] = _as_json(defaults)
    return plain


def _differences(old: Any, new: Any, key: str = "") -> list[str]:
    """Return what differs, as ``train.epochs: 30, now 10``."""
    if isinstance(old, dict) and isinstance(new, dict):
        lines = []
        for name in dict.fromkeys([*old, *new]):
            inner = f"{key}.{name}" if key else name
            lines += _differences(old.get(name), new.get(name), inner)
        return lines
    if old == new:
        return []
    return [f"{key}: {_short(old)}, now {_short(new)}"]


def _short(value: Any) -> str:
    text = json.dumps(value)
    if len(text) <= 40:
        return text
    return f"{text[:37]}..."
