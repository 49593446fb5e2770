"""Low rank through a run: trained jointly with int8, exported, compiled, pruned again."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest
from click.testing import CliRunner

from tinyprune.cli import main
from tinyprune.config import ArrayData, RunConfig, TrainConfig
from tinyprune.stages.train import train_baseline

PRUNE = ["prune", "--structure", "low-rank", "--epochs", "2", "--sparsity"]


def invoke(*arguments):
    return CliRunner().invoke(main, [*map(str, arguments)])


def command(*arguments):
    result = invoke(*arguments)
    assert result.exit_code == 0, result.stderr
    return result


def windows(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Two hidden signals, one of them as fast as the class, seen by eight sensors that share them."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, 300)
    time = np.arange(24)
    seen = []
    for label in labels:
        hidden = np.stack([np.sin((0.3 + 0.4 * label) * time), rng.normal(size=24)], 1)
        seen.append(hidden @ np.random.default_rng(1).normal(size=(2, 8)))
    return np.asarray(seen, np.float32), labels


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A baseline on windows and two levels of low rank, the second one pruned again."""
    folder = tmp_path_factory.mktemp("low_rank")
    x, y = windows()
    np.savez(folder / "windows.npz", x=x, y=y)
    data = ArrayData(arrays=str(folder / "windows.npz"))
    train_baseline(folder / "run", RunConfig(data=data, train=TrainConfig(epochs=4)))
    command(*PRUNE, "0.5,0.6", "--then", "weight", "--sparsity", "0.5", "--run", folder / "run")
    return folder / "run"


def network(run: Path, name: str) -> keras.Model:
    return keras.models.load_model(run / f"variants/{name}/model.keras")


def weights(model: keras.Model) -> int:
    """Those of its kernels."""
    return sum(layer.kernel.numpy().size for layer in model.layers if hasattr(layer, "kernel"))


@pytest.mark.slow
def test_the_plan_is_what_the_variant_is(run):
    """A ladder is no chain: both levels divide the layers of the baseline."""
    whole = weights(network(run, "baseline"))
    for name, sparsity in (("low-rank-0.50", 0.5), ("low-rank-0.60", 0.6)):
        folder = run / f"variants/{name}"
        assert json.loads((folder / "variant.json").read_text())["prune"]["base"] == "baseline"
        plan = json.loads((folder / "plan.json").read_text())
        model = network(run, name)
        for item in plan["factors"]:
            first = model.get_layer(item["first"])
            assert (first.filters, first.use_bias) == (item["rank"], False)
            assert model.get_layer(item["layer"]).kernel_size == (1,)
        assert weights(model) < (1.05 - sparsity) * whole
        sizes = json.loads((folder / "int8.json").read_text())["tensors"]
        assert sum(item["size"] for item in sizes) == weights(model)


@pytest.mark.slow
def test_fewer_weights_and_cycles_are_in_the_summary(run):
    command("compile", "--run", run, "--npu", "ethos-u55-128")
    report = json.loads(command("report", "--run", run, "--format", "json").stdout)
    [summary] = report["summaries"]
    rows = {variant["name"]: variant for variant in summary["variants"]}
    whole, small = rows["baseline"], rows["low-rank-0.50"]
    assert small["report"]["flash_bytes"] < 0.7 * whole["report"]["flash_bytes"]
    assert small["report"]["cycles"] < 0.8 * whole["report"]["cycles"]
    assert small["sparsity"] < 0.1  # what is gone is no zero in the file
    assert rows["low-rank-0.60-weight-0.50"]["sparsity"] == pytest.approx(0.5, abs=0.05)
    command("verify", "--run", run)


@pytest.mark.slow
def test_a_finished_one_is_not_trained_again_and_another_one_is_refused(run):
    files = {path: path.stat().st_mtime_ns for path in run.rglob("*.keras")}
    found = command(*PRUNE, "0.5", "--run", run)
    assert "pruned already" in found.stderr
    assert files == {path: path.stat().st_mtime_ns for path in run.rglob("*.keras")}
    found = invoke(*PRUNE, "0.5", "--seed", "1", "--run", run)
    assert found.exit_code == 2
    assert "low-rank-0.50" in found.stderr


@pytest.mark.slow
def test_the_factors_of_a_layer_are_not_divided_again(run):
    found = command(*PRUNE, "0.6", "--from", "low-rank-0.50", "--show-plan", "--run", run)
    assert "a factor of a low rank already" in " ".join(found.stdout.split())


@pytest.mark.slow
def test_zeros_of_the_base_would_come_back(run):
    command("prune", "--sparsity", "0.5", "--epochs", "1", "--run", run)
    found = invoke(*PRUNE, "0.5", "--from", "weight-0.50", "--run", run)
    assert found.exit_code == 2
    assert "has pruned weights, which two factors would bring back" in found.stderr
    assert not (run / "variants/weight-0.50-low-rank-0.50/plan.json").exists()


@pytest.mark.slow
def test_units_go_first_or_afterwards_and_few_values_are_learned(run):
    command("prune", "--structure", "unit", "--sparsity", "0.25", "--epochs", "1", "--run", run)
    command(*PRUNE, "0.3", "--from", "unit-0.25", "--clusters", "16", "--run", run)
    folder = run / "variants/unit-0.25-low-rank-0.30-joint-16-clusters"
    plan = json.loads((folder / "plan.json").read_text())
    [first, *_] = plan["factors"]
    assert plan["few_values"][f"{first['first']}/kernel"] == 16


@pytest.mark.slow
def test_an_interrupted_one_goes_on_with_its_plan(run, monkeypatch):
    from tinyprune.stages.network_plan import Planner
    from tinyprune.training import fit

    goes_on = [*PRUNE, "0.4", "--run", run]
    begun = fit.Fit.run

    def interrupted(self: fit.Fit, name: str) -> None:
        watch = self._watch

        def stop(*epoch: object) -> None:
            raise KeyboardInterrupt

        self._watch = stop
        try:
            begun(self, name)
        finally:
            self._watch = watch

    with monkeypatch.context() as patch:
        patch.setattr(fit.Fit, "run", interrupted)
        assert invoke(*goes_on).exit_code != 0
    plan = (run / "variants/low-rank-0.40/plan.json").read_bytes()

    def planned_anew(self: Planner, model: keras.Model) -> None:
        raise AssertionError("there is a plan")

    monkeypatch.setattr(Planner, "plan", planned_anew)
    found = command(*goes_on)
    assert "epoch 1/2" not in found.stderr
    assert "epoch 2/2" in found.stderr
    assert (run / "variants/low-rank-0.40/plan.json").read_bytes() == plan
