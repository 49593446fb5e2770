"""Commands on files, each in a forked process of bounded memory and time: a script.

Reads a list of cases as JSON from standard input: [name, folder, arguments]. Writes for each what
became of it: exit code, error line, seconds, MiB. The libraries are loaded once, before the first
fork; nothing of TensorFlow runs in the parent.
"""

import importlib
import json
import os
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from click.testing import CliRunner

MIB = 1 << 20
#: Of processor time: how busy the machine is does not matter. A case that waits ends after LONGEST
#: times that.
SECONDS = 30
LONGEST = 10
MEMORY = 2048 * MIB
#: What the commands load on use. Else every case would pay for it.
LOADED = (
    "h5py",
    "keras",
    "tensorflow",
    "soundfile",
    "ai_edge_litert.interpreter",
    "ai_edge_litert.schema_py_generated",
    "tinyprune.stages.compile",
    "tinyprune.stages.train",
    "tinyprune.stages.prune",
    "tinyprune.stages.evaluate",
    "tinyprune.stages.firmware",
    "tinyprune.stages.stream_check",
    "tinyprune.stages.variant_search",
    "tinyprune.models.loading.files",
    "tinyprune.data.corpora.description",
    "tinyprune.report.model.loading",
    "tinyprune.enhance.jobs",
    "tinyprune.stages.offline",
    "tinyprune.data.arrays.dataset",
    "tinyprune.data.corpora.manifest",
    "tinyprune.cli",
    "tinyprune.cli.compare",
    "tinyprune.cli.compile",
    "tinyprune.cli.data_describe",
    "tinyprune.cli.data_mix",
    "tinyprune.cli.enhance",
    "tinyprune.cli.prune",
    "tinyprune.cli.train",
    "cattrs",
    "scipy.signal",
    "soxr",
)


def main() -> None:
    """Run the cases and print a line of JSON for each."""
    for name in LOADED:
        importlib.import_module(name)
    for case in json.load(sys.stdin):
        sys.stdout.write(json.dumps(outcome(*case)) + "\n")
        sys.stdout.flush()


def outcome(name: str, folder: str, arguments: list[str]) -> dict:
    """Return what became of one case."""
    said = Path(folder, "said.json")
    child = os.fork()
    if child == 0:
        bounded_run(folder, arguments, said)
    _, status, used = os.wait4(child, 0)
    result = {"exit": None, "stderr": "", "crash": 0}
    if said.exists():
        result |= json.loads(said.read_text())
    if os.WIFSIGNALED(status):
        result["crash"] = os.WTERMSIG(status)
    seconds = used.ru_utime + used.ru_stime
    return {"name": name, **result, "seconds": seconds, "mib": used.ru_maxrss / 1024}


def bounded_run(folder: str, arguments: list[str], said: Path) -> None:
    """Run a command line in this process, which ends."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(LONGEST * SECONDS)
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    already = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (already + MEMORY,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.chdir(folder)
    code, text = READERS.get(arguments[0], run_command)(arguments)
    said.write_text(json.dumps({"exit": code, "stderr": text[-2000:]}))
    os._exit(0)


def run_command(arguments: list[str]) -> tuple[int, str]:
    """Return the exit code and stderr of a command line."""
    from tinyprune.cli import main as tinyprune

    result = CliRunner().invoke(tinyprune, arguments)
    return result.exit_code, result.stderr


def load_network(arguments: list[str]) -> tuple[int, str]:
    """Load a network as `train --model` does, which then takes seconds to look at the data."""
    from tinyprune.models.loading.own import load

    return said_of(lambda: load(arguments[1]))


def read_recipe(arguments: list[str]) -> tuple[int, str]:
    """Read a recipe as `run` does, which then would train."""
    from tinyprune.config.recipe import load_recipe

    return said_of(lambda: load_recipe(Path(arguments[1])))


def read_sweep(arguments: list[str]) -> tuple[int, str]:
    """Read a recipe and its sweep as `sweep` does, which then would train."""
    from tinyprune.config.recipe import load_recipe
    from tinyprune.search.defaults import with_default_space
    from tinyprune.stages.variant_search import check_sweep

    def read() -> None:
        config = load_recipe(Path(arguments[1]))
        check_sweep(with_default_space(config.sweep, config.budget))

    return said_of(read)


def said_of(read: Callable[[], object]) -> tuple[int, str]:
    """Return the exit code and the line of what a function raises, as the command line has them."""
    from tinyprune.cli.messages import describe

    try:
        read()
    except BaseException as error:
        line, code = describe(error)
        return code, f"error: {line}\n"
    return 0, ""


READERS = {"load-network": load_network, "read-recipe": read_recipe, "read-sweep": read_sweep}


if __name__ == "__main__":
    main()
