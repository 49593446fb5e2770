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

import numpy as np
import pytest

from tests.support.disks import mounted
from tinyprune.artifacts.sweep import DONE, FAILED
from tinyprune.cli.data_kind import recipe_at
from tinyprune.errors import TinypruneError
from tinyprune.stages import ray_workers
from tinyprune.stages.ray_cluster import connected
from tinyprune.stages.ray_workers import RayRequest, RayTasks
from tinyprune.stages.run import Run
from tinyprune.stages.train import train_baseline
from tinyprune.stages.variant_search import SweepRequest, run_sweep
from tinyprune.storage.run_folder import Workspace

pytestmark = [pytest.mark.slow, pytest.mark.cluster]
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
pytest.importorskip("optuna", reason="sweeps need optuna")
pytest.importorskip("ray", reason='trials on Ray need it: pip install "tinyprune[ray]"')

EPOCHS = 40
RECIPE = f"""
[data]
name = "arrays"
path = "table.npz"
[model]
name = "mlp"
[train]
epochs = 2
[sweep]
costs = ["flash"]
[[sweep.step]]
sparsity = [0.3, 0.5, 0.7]
epochs = [{EPOCHS}]
"""


def write_table(path: Path) -> None:
    """Four clouds of 16 numbers."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(4, 16))
    arrays = {}
    for split, count in (("train", 256), ("dev", 64)):
        labels = rng.integers(0, 4, count)
        arrays[f"y_{split}"] = labels
        arrays[f"x_{split}"] = (centres[labels] + rng.normal(size=(count, 16))).astype("float32")
    np.savez(path, **arrays)


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
    write_table(folder / "table.npz")
    path = folder / "table.toml"
    path.write_text(RECIPE)
    train_baseline(folder / "run", recipe_at(path))
    return path


@pytest.fixture
def cluster():
    """Three nodes of one core; the first is the head."""
    from ray.cluster_utils import Cluster

    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder:
        cluster = Cluster()
        try:
            for number in range(3):
                place = {"temp_dir": folder} if number == 0 else {}
                cluster.add_node(**node_settings(), **place)
            cluster.wait_for_nodes()
            yield cluster
        finally:
            cluster.shutdown()


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


def processes_in(folder: str) -> list[int]:
    """Return the processes that have a folder in their command line."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if folder.encode() in path.read_bytes():
                found.append(int(path.parent.name))
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_sweep_leaves_no_processes_and_goes_on(recipe, tmp_path, number):
    folder = Path(shutil.copytree(recipe.parent / "run", tmp_path / "run"))
    with tempfile.TemporaryDirectory(prefix="t-", ignore_cleanup_errors=True) as temporary:
        line = [sys.executable, "-m", "tinyprune", "sweep", recipe, "--run", folder, "--ray"]
        environment = {**os.environ, "TMPDIR": temporary}
        process = subprocess.Popen(
            [*map(str, line), "--jobs", "1"], env=environment, stderr=subprocess.PIPE, text=True
        )
        while not histories(folder):
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.05)
        process.send_signal(number)
        error = process.communicate()[1]
        if number == signal.SIGINT:
            assert process.returncode == 130, error
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
