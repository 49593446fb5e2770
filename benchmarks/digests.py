"""Digests of what small runs make: a change of the code that must not change a value is held to them.

``python -m benchmarks.digests FOLDER`` makes the runs in FOLDER and prints a line per file: its
name and a SHA-256 of what it says. ``--against FILE`` compares with the lines of an earlier time
and exits with 1 where one differs. Digests are those of one
machine: another processor or another number of threads changes last digits.

The runs: float training, prunings by weight, block, 2:4 and unit, to a budget, offline with
    clusters; exports, compilations,
reports, evaluations. What changes from run to run is left out: times, dates, commands, and the
    compressed bytes of ``.keras``.
"""

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np

#: Keys of records that say when, by which command or in which version something was made, or hash a
#: ``.keras``.
VOLATILE = {
    "made",
    "command",
    "tinyprune",
    "seconds",
    "sha256",
    "outputs",
    "inputs",
    "base_sha256",
    "python",
}
VOLATILE |= {"path", "versions", "machine", "manifest"}
SPEECH = "train --epochs 2 --batch-size 4 --minutes 0.3 --set data.dev_utterances=3 --set train.frames=50"
IMAGES = "train --data images --model resnet8 --epochs 2 --batch-size 16 --path"
SPEECH_STEPS = (
    SPEECH,
    "prune --structure weight --sparsity 0.8 --epochs 2",
    "prune --structure block --block-size 16x8 --sparsity 0.7 --epochs 2",
    "prune --structure unit --sparsity 0.5 --then weight --sparsity 0.7 --epochs 2 --importance l2",
    "prune --method differentiable --max-flash 300kB --npu ethos-u55-128 --epochs 4",
    "compile --npu ethos-u55-128 --memory-mode Sram_Only",
    "compile --npu ethos-u55-128 --format json",
    "report --format json",
    "report --format markdown",
    "report weight-0.80",
    "evaluate baseline weight-0.80 --format json",
    "compare baseline weight-0.80 --format json",
)
IMAGE_STEPS = (
    "prune --structure 2:4 --epochs 2",
    "prune --structure unit --sparsity 0.5 --epochs 2 --importance taylor",
    "prune --structure weight --sparsity 0.5,0.8 --epochs 2 --scope layer",
    "prune --method differentiable --max-macs 6M --epochs 5",
    "prune --offline {run}/variants/weight-0.80/int8.tflite --clusters 16 --sparsity 0.9",
    "compile --npu ethos-u85-256 --format csv",
    "report --format json",
    "evaluate weight-0.80 --format csv",
)


def main() -> int:
    """Make the runs and print or compare the digests."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "folder", nargs="?", type=Path, help="where the runs are made; default: a new folder"
    )
    parser.add_argument("--against", type=Path, help="digests of an earlier time")
    options = parser.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    images = folder / "images.npz"
    write_images(images)
    make_run(folder / "speech", SPEECH_STEPS)
    make_run(folder / "images", (f"{IMAGES} {images}", *IMAGE_STEPS))
    found = digests(folder)
    for name, digest in found.items():
        print(f"{digest}  {name}")
    if options.against is None:
        return 0
    return 1 if differences(found, options.against) else 0


def make_run(run: Path, steps: tuple[str, ...]) -> None:
    """Run the steps of one run folder, each by the command line; what it prints is kept beside the run."""
    environment = os.environ | {
        "TF_ENABLE_ONEDNN_OPTS": "0",
        "COLUMNS": "120",
        "NO_COLOR": "1",
        "CUDA_VISIBLE_DEVICES": "",
    }
    for number, step in enumerate(steps):
        words = step.format(run=run).split()
        output = run.parent / f"{run.name}-{number:02}-{words[0]}.txt"
        if output.exists():
            continue
        print(f"tinyprune {step}", file=sys.stderr, flush=True)
        command = [sys.executable, "-m", "tinyprune", *words, "--run", str(run)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode not in (0, 3):
            raise SystemExit(f"{step}: exit {done.returncode}\n{done.stderr[-3000:]}")
        output.write_text(done.stdout)


def write_images(path: Path) -> None:
    """Write noisy 32 x 32 pictures, each mostly of one of three colours."""
    if path.exists():
        return
    rng = np.random.default_rng(0)
    arrays = {}
    for split, count in (("train", 96), ("dev", 48), ("test", 24)):
        labels = np.arange(count) % 3
        pixels = rng.integers(0, 100, (count, 32, 32, 3))
        pixels[np.arange(count), :, :, labels] += 100
        arrays[f"x_{split}"] = pixels.astype(np.uint8)
        arrays[f"y_{split}"] = labels
    np.savez(path, **arrays)


def digests(folder: Path) -> dict[str, str]:
    """Name of each file that a run made -> a digest of what it says."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not is_left_out(name):
            found[name] = hashlib.sha256(content(path, folder)).hexdigest()[:16]
    return found


def is_left_out(name: str) -> bool:
    """Return whether a file is scratch: locks, decoded audio, checkpoints, what Vela prints."""
    if name.endswith("history.csv"):
        return False
    if "/data/" in name or name == "images.npz":
        return True
    return bool(re.search(r"(^|/)\.|checkpoint|\.csv$|vela\.log$|_debug\.xml$", name))


def content(path: Path, folder: Path) -> bytes:
    """Return what a file says, without what changes from run to run."""
    if path.suffix == ".keras":
        return keras_weights(path)
    if path.suffix == ".npz":
        with np.load(path) as arrays:
            return b"".join(name.encode() + arrays[name].tobytes() for name in sorted(arrays.files))
    if path.name == "history.csv":
        return without_seconds(path.read_text()).encode()
    if path.suffix not in (".json", ".txt"):
        return path.read_bytes()
    text = path.read_text().replace(str(folder.resolve()), "FOLDER").replace(str(folder), "FOLDER")
    try:
        return json.dumps(stable(json.loads(text)), sort_keys=True).encode()
    except ValueError:
        text = re.sub(r"\d{4}-\d\d-\d\dT[\d:+]+", "DATE", text)
        return re.sub(r"tinyprune \d+\.\d+\.\d+", "VERSION", text).encode()


def stable(value):
    """Return a record without its volatile keys."""
    if isinstance(value, dict):
        return {key: stable(entry) for key, entry in value.items() if key not in VOLATILE}
    if isinstance(value, list):
        return [stable(entry) for entry in value]
    return value


def without_seconds(table: str) -> str:
    """Return a CSV table without its column of seconds."""
    rows = [line.split(",") for line in table.splitlines()]
    kept = [number for number, title in enumerate(rows[0]) if "second" not in title]
    return "\n".join(",".join(row[number] for number in kept) for row in rows)


def keras_weights(path: Path) -> bytes:
    """Return configuration and weights of a ``.keras`` file."""
    import h5py

    parts = []
    with (
        zipfile.ZipFile(path) as archive,
        archive.open("model.weights.h5") as file,
        h5py.File(file) as weights,
    ):
        settings = archive.read("config.json").decode()
        # An address in memory, which Keras writes for objects that layers share.
        parts.append(re.sub(r'"shared_object_id": \d+', "", settings).encode())
        weights.visititems(lambda name, entry: parts.append(_array(name, entry)))
    return b"".join(parts)


def _array(name, entry) -> bytes:
    return name.encode() + entry[()].tobytes() if hasattr(entry, "shape") else b""


def differences(found: dict[str, str], before: Path) -> list[str]:
    """Print and return the files that are other than before."""
    earlier = dict(reversed(line.split("  ", 1)) for line in before.read_text().splitlines())
    names = [name for name in {**earlier, **found} if earlier.get(name) != found.get(name)]
    for name in names:
        print(
            f"differs: {name}: {earlier.get(name, 'absent')} -> {found.get(name, 'absent')}",
            file=sys.stderr,
        )
    return names


if __name__ == "__main__":
    sys.exit(main())
