"""Sweeps on Ray: three nodes on this machine, one of which dies; what refuses a node."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from benchmarks.shared.clouds import write_clouds
from tests.support.disks import mounted
from tests.support.programs import usual_signals
from tinyprune.artifacts.sweep import DONE, FAILED
from tinyprune.cli.data_kind import recipe_at
from tinyprune.cli.signals import ending_like_ctrl_c
from tinyprune.config import SweepConfig, SweepStep, TargetConfig
from tinyprune.errors import Stopped, TinypruneError
from tinyprune.npu import targets
from tinyprune.search.space import every_chain
from tinyprune.stages import ray_workers
from tinyprune.stages.ray_cluster import connected
from tinyprune.stages.ray_workers import RayRequest, RayTasks
from tinyprune.stages.run import Run
from tinyprune.stages.sweep_trial import TrialJob
from tinyprune.stages.train import train_baseline
from tinyprune.stages.variant_search import SweepRequest, run_sweep
from tinyprune.storage.run_folder import Workspace

if TYPE_CHECKING:
    from ray.cluster_utils import Cluster

pytestmark = [pytest.mark.slow, pytest.mark.cluster]
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
pytest.importorskip("optuna", reason="sweeps need optuna")
pytest.importorskip("ray", reason='trials on Ray need it: pip install "tinyprune[ray]"')

EPOCHS = 40
NODES = 3
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
RECIPE = """
[data]
name = "arrays"
path = "table.npz"
[model]
name = "mlp"
[train]
epochs = 2
[sweep]
costs = ["flash"]
"""
SPARSITIES = f"""
[[sweep.step]]
sparsity = [0.3, 0.5, 0.7]
epochs = [{EPOCHS}]
"""
WIDTHS = """
width = [1, 0.5]
[[sweep.step]]
optional = true
sparsity = [0.5]
epochs = [2]
"""


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def node_settings() -> dict[str, object]:
    """Return a small node. Its agents have ports: else a slow machine ends it after 15 s."""
    ports = free_ports(4)
    names = ("metrics_agent_port", "metrics_export_port", "dashboard_agent_listen_port")
    return {
        **dict(zip((*names, "runtime_env_agent_port"), ports, strict=True)),
        "num_cpus": 1,
        "num_gpus": 0,
        "memory": 4_000_000_000,
        "object_store_memory": 100_000_000,
        "include_dashboard": False,
    }


@pytest.fixture(scope="module")
def recipe(tmp_path_factory) -> Path:
    """A recipe and its data, with a baseline that is trained in ``run``."""
    folder = tmp_path_factory.mktemp("table")
    write_clouds(folder / "table.npz", {"train": 256, "dev": 64})
    path = folder / "table.toml"
    path.write_text(RECIPE + SPARSITIES)
    train_baseline(folder / "run", recipe_at(path))
    return path


def processes_in(folder: str) -> list[int]:
    """Return the processes that have a folder in their command line."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if folder.encode() in path.read_bytes():
                found.append(int(path.parent.name))
    return found


def added(cluster: "Cluster", place: dict[str, str]) -> bool:
    """Fill a cluster up to three nodes of one core; False where a node was too slow to start.

    ``place``: what the first of them, the head, has besides. Ray gives a node 30 s.
    """
    try:
        while len(cluster.list_all_nodes()) < NODES:
            cluster.add_node(**node_settings(), **(place if cluster.head_node is None else {}))
        cluster.wait_for_nodes()
    except Exception:  # Ray has no class for it
        return False
    return True


def ended(cluster: "Cluster", folder: str) -> None:
    """End the nodes of a cluster, those too that have not come up."""
    with suppress(Exception):
        cluster.shutdown()
    for process in processes_in(folder):
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


@pytest.fixture(scope="module")
def nodes():
    """Three nodes of one core; the first is the head. On a busy machine they have three tries."""
    from ray.cluster_utils import Cluster

    for _ in range(3):
        with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder:
            cluster = Cluster()
            try:
                if added(cluster, {"temp_dir": folder}):
                    yield cluster
                    return
            finally:
                ended(cluster, folder)
    pytest.fail("three nodes of Ray do not start here within 30 s each")


@pytest.fixture
def cluster(nodes):
    """The same nodes, another one in place of one that has died in the test before."""
    assert added(nodes, {}), "a node of Ray does not start here within 30 s"
    return nodes


def swept(recipe: Path, folder: Path, request: SweepRequest):
    """Return the answer of a sweep in a copy of the run."""
    if not folder.exists():
        shutil.copytree(recipe.parent / "run", folder)
    return run_sweep(recipe_at(recipe), folder, request)


def histories(folder: Path) -> dict[str, str]:
    """Return the history of each variant that is in the middle of its training."""
    found = {}
    for path in folder.glob("variants/sweep-*/history.csv"):
        if not (path.parent / "train.json").exists():
            found[path.parent.name] = path.read_text()
    return found


def test_a_node_dies_in_the_middle_of_a_trial_and_the_front_is_the_one_without_ray(
    recipe, cluster, tmp_path, monkeypatch
):
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "1")  # digits are those of a number of threads
    folder = tmp_path / "ray"
    before: dict[str, str] = {}

    def kill_a_node():
        while len(before) < 3:  # one trial on each node
            before.clear()
            before.update(histories(folder))
            time.sleep(0.02)
        cluster.remove_node(cluster.list_all_nodes()[2], allow_graceful=False)

    killer = threading.Thread(target=kill_a_node, daemon=True)
    killer.start()
    found = swept(recipe, folder, SweepRequest(ray=RayRequest(cluster.address)))
    assert not killer.is_alive()  # it died, with a trial in the middle
    for name, text in before.items():  # seconds are in it: no epoch was trained twice
        lines = (folder / "variants" / name / "history.csv").read_text()
        assert lines.startswith(text)
        assert len(lines.splitlines()) == 1 + EPOCHS

    alone = swept(recipe, tmp_path / "local", SweepRequest(jobs=2))
    assert found.candidates == alone.candidates
    assert found.ship == alone.ship
    assert [trial.status for trial in found.trials] == [DONE] * 3


def test_the_front_of_several_widths_is_the_one_without_ray(recipe, cluster, tmp_path, monkeypatch):
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "1")
    recipe = recipe.with_name("widths.toml")
    recipe.write_text(RECIPE + WIDTHS)
    found = swept(recipe, tmp_path / "ray", SweepRequest(ray=RayRequest(cluster.address)))
    assert [trial.reason for trial in found.trials] == [""] * 4  # two widths, pruned and not
    assert {trial.chain.partition(",")[0] for trial in found.trials} >= {"width 0.5"}
    alone = swept(recipe, tmp_path / "local", SweepRequest(jobs=2))
    assert found.candidates == alone.candidates
    assert found.ship == alone.ship


@pytest.fixture
def signals_that_end():
    """Signals as in a terminal, for a while."""
    before = {number: signal.getsignal(number) for number in ENDING}
    usual_signals()
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_thirty_signals_while_ray_is_waited_for_all_come(
    recipe, cluster, tmp_path, monkeypatch, signals_that_end
):
    monkeypatch.setattr(ray_workers, "_LOOK_SECONDS", 0.05)  # between two looks for dead nodes
    folder = Path(shutil.copytree(recipe.parent / "run", tmp_path / "run"))
    step = SweepStep(sparsity=(0.5,), epochs=(1_000_000,))
    [(_, chain)] = every_chain(SweepConfig(step=(step,)), TargetConfig())
    job = TrialJob(0, chain, ("sweep-1",), targets.resolve("ethos-u55-128"), halving=False)
    moments = np.random.default_rng(0).uniform(0, 0.3, 30)
    with (
        connected(cluster.address),
        RayTasks(Run(Workspace(folder)), RayRequest(cluster.address), None) as tasks,
    ):
        tasks.begin(job)
        for number, seconds in zip([*ENDING] * 10, moments, strict=True):
            kill = threading.Timer(seconds, os.kill, (os.getpid(), number))
            with pytest.raises(Stopped) as found, ending_like_ctrl_c(print):
                kill.start()
                tasks.wait()
            assert found.value.exit_code == 128 + number


def test_a_full_disk_is_a_failed_row_with_the_name_of_its_node(recipe, cluster, tmp_path):
    folder = Path(shutil.copytree(recipe.parent / "run", tmp_path / "run"))
    with mounted(folder / "variants/sweep-2", "size=16k"):
        found = swept(recipe, folder, SweepRequest(ray=RayRequest(cluster.address)))
    by_name = {trial.variant: trial for trial in found.trials}
    statuses = {name: trial.status for name, trial in by_name.items()}
    assert statuses == {"sweep-1": DONE, "sweep-2": FAILED, "sweep-3": DONE}
    assert "No space left on device" in by_name["sweep-2"].reason
    assert by_name["sweep-2"].reason.endswith(f"(on {socket.gethostname()})")


def test_nodes_that_cannot_run_trials_are_refused_in_a_line(recipe, cluster, tmp_path, monkeypatch):
    folder = Path(shutil.copytree(recipe.parent / "run", tmp_path / "run"))
    node = socket.gethostname()
    with connected(cluster.address):
        tasks = RayTasks(Run(Workspace(folder)), RayRequest(cluster.address), None)
        with monkeypatch.context() as patch:
            patch.setattr(ray_workers, "__version__", "0.0.1")
            with pytest.raises(TinypruneError, match=f"node {node} has tinyprune .*expected 0.0.1"):
                tasks.__enter__()
        data = recipe.parent / "table.npz"
        data.rename(recipe.parent / "elsewhere.npz")
        try:
            with pytest.raises(TinypruneError, match=f"node {node} does not see {data}: put run"):
                tasks.__enter__()
        finally:
            (recipe.parent / "elsewhere.npz").rename(data)
        with pytest.raises(TinypruneError, match="no node has room for a trial of 64 cores"):
            RayTasks(Run(Workspace(folder)), RayRequest("", cpus=64), None).__enter__()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_sweep_leaves_no_processes_and_goes_on(recipe, tmp_path, number):
    folder = Path(shutil.copytree(recipe.parent / "run", tmp_path / "run"))
    with tempfile.TemporaryDirectory(prefix="t-", ignore_cleanup_errors=True) as temporary:
        line = [sys.executable, "-m", "tinyprune", "sweep", recipe, "--run", folder, "--ray"]
        environment = {**os.environ, "TMPDIR": temporary}
        process = subprocess.Popen(
            [*map(str, line), "--jobs", "1"],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=usual_signals,
        )
        while not histories(folder):
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.05)
        process.send_signal(number)
        error = process.communicate()[1]
        if number != signal.SIGKILL:
            assert process.returncode == 128 + number, error
            assert error.endswith("interrupted; run the same command again to continue\n")
        for _ in range(300):
            if not processes_in(temporary):
                break
            time.sleep(0.1)
        assert not processes_in(temporary)
    begun = histories(folder)
    found = swept(recipe, folder, SweepRequest(jobs=1))
    assert {trial.status for trial in found.trials} == {DONE}
    for name, text in begun.items():
        assert (folder / "variants" / name / "history.csv").read_text().startswith(text)
