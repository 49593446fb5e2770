"""Each command calls one function of the pipeline, with exactly these arguments."""

from pathlib import Path
from unittest import mock

import click
import pytest
from click.testing import CliRunner

from tinyprune.cli import COMMANDS, main
from tinyprune.config import DataConfig, ModelConfig, PruneConfig, RunConfig, TargetConfig, TrainConfig

DEFAULT = Path("runs/default")


def call(function, printer, *arguments, output_format="table"):
    """The arguments with which a command line calls a function of the pipeline; its result goes to a printer."""
    with (
        mock.patch(f"tinyprune.pipeline.{function}", autospec=True, return_value="result") as patched,
        mock.patch(f"tinyprune.cli.output.{printer}", autospec=True) as printed,
    ):
        result = CliRunner().invoke(main, arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    patched.assert_called_once()
    printed.assert_called_once_with("result", output_format)
    return patched.call_args


def call_train(*arguments):
    """The arguments with which a command line calls ``pipeline.train``, which has nothing to print."""
    with mock.patch("tinyprune.pipeline.train", autospec=True, return_value=None) as patched:
        result = CliRunner().invoke(main, ["train", *arguments])
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")
    patched.assert_called_once()
    return patched.call_args


def test_train_with_nothing_given():
    assert call_train() == mock.call(DEFAULT, RunConfig())


def test_train_with_everything_given(tmp_path):
    folder = str(tmp_path)
    call_args = call_train(
        *("--run", "r", "--model", "tinylstm", "--speech", folder, "--noise", folder),
        *("--dev-speech", folder, "--dev-noise", folder, "--test-speech", folder, "--test-noise", folder),
        *("--snr", "-6:3", "--minutes", "2", "--epochs", "3", "--batch-size", "4", "--learning-rate", "0.5"),
        *("--loss", "si-sdr", "--seed", "5", "--set", "data.seed=6", "--set", "train.frames=7"),
    )
    data = DataConfig(
        name="mixture",
        speech=folder,
        noise=folder,
        dev_speech=folder,
        dev_noise=folder,
        test_speech=folder,
        test_noise=folder,
        snr_db=(-6.0, 3.0),
        minutes=2.0,
        seed=6,
    )
    train = TrainConfig(epochs=3, batch_size=4, frames=7, learning_rate=0.5, loss="si-sdr", seed=5)
    assert call_args == mock.call(Path("r"), RunConfig(data=data, model=ModelConfig("tinylstm"), train=train))


def test_train_on_keywords_with_a_network_of_ones_own(tmp_path):
    folder = str(tmp_path)
    call_args = call_train(
        *("--data", "keywords", "--path", folder, "--words", "yes,no", "--model", "nets:build"),
        *("--custom", "nets.layers", "--custom", "nets.functions"),
    )
    config = RunConfig(
        data=DataConfig(name="keywords", path=folder, words=("yes", "no")),
        model=ModelConfig("nets:build", ("nets.layers", "nets.functions")),
    )
    assert call_args == mock.call(DEFAULT, config)


def test_train_on_images(tmp_path):
    path = tmp_path / "images.npz"
    path.touch()
    call_args = call_train("--data", "images", "--path", str(path), "--set", "data.normalise=unit")
    assert call_args == mock.call(DEFAULT, RunConfig(data=DataConfig(name="images", path=str(path), normalise="unit")))


def test_prune_with_nothing_given():
    assert call("prune", "qualities", "prune") == mock.call(DEFAULT, [PruneConfig()])


def test_prune_with_everything_given():
    call_args = call(
        *("prune", "qualities", "prune", "--run", "r", "--structure", "block", "--block-size", "4x16"),
        *("--sparsity", "0.9", "--importance", "l2", "--scope", "layer", "--exclude", "head", "--exclude", "a_*"),
        *("--round-to", "4", "--schedule", "constant", "--begin", "0.1", "--end", "300", "--epochs", "3"),
        *("--learning-rate", "0.5", "--no-distill", "--from", "b", "--name", "n", "--seed", "5", "--format", "json"),
        output_format="json",
    )
    assert call_args == mock.call(
        Path("r"),
        [
            PruneConfig(
                name="n",
                base="b",
                structure="block",
                block_size="4x16",
                sparsity=0.9,
                importance="l2",
                scope="layer",
                schedule="constant",
                begin=0.1,
                end=300.0,
                round_to=4,
                exclude=("head", "a_*"),
                epochs=3,
                learning_rate=0.5,
                distill=False,
                seed=5,
            )
        ],
    )


def test_prune_by_two_structures_and_up_a_ladder():
    call_args = call(
        *("prune", "qualities", "prune", "--structure", "unit", "--sparsity", "0.5", "--then", "weight"),
        *("--sparsity", "0.6,0.8", "--then", "2:4", "--epochs", "2"),
    )
    first = "unit-0.50-weight-0.60"
    assert call_args == mock.call(
        DEFAULT,
        [
            PruneConfig(structure="unit", sparsity=0.5, epochs=2),
            PruneConfig(base="unit-0.50", sparsity=0.6, epochs=2),
            PruneConfig(base=first, sparsity=0.8, name="unit-0.50-weight-0.80", epochs=2),
            PruneConfig(base="unit-0.50-weight-0.80", structure="2:4", epochs=2),
        ],
    )


def test_prune_shows_its_plan_and_stops():
    with mock.patch("tinyprune.pipeline.prune", autospec=True) as prune:
        assert call("show_plan", "plan", "prune", "--show-plan") == mock.call(DEFAULT, PruneConfig())
    prune.assert_not_called()


def test_prune_offline():
    with mock.patch("tinyprune.pipeline.prune", autospec=True) as prune:
        call_args = call("prune_offline", "offline", "prune", "--offline", "m.tflite")
        config = PruneConfig(name="offline-weight-0.80")
        assert call_args == mock.call(DEFAULT, Path("m.tflite"), config, None)
    prune.assert_not_called()


def test_prune_offline_with_everything_given():
    call_args = call(
        *("prune_offline", "offline", "prune", "--run", "r", "--offline", "m.tflite", "-o", "out.tflite"),
        *("--structure", "block", "--block-size", "4x4", "--sparsity", "0.5", "--importance", "l2", "--scope", "layer"),
        *("--name", "n", "--format", "csv"),
        output_format="csv",
    )
    config = PruneConfig(name="n", structure="block", block_size="4x4", sparsity=0.5, importance="l2", scope="layer")
    assert call_args == mock.call(Path("r"), Path("m.tflite"), config, Path("out.tflite"))


@pytest.mark.parametrize(("arguments", "variant"), [([], None), (["weight-0.80"], "weight-0.80")])
def test_export(arguments, variant):
    assert call("export", "qualities", "export", *arguments) == mock.call(DEFAULT, variant)


def test_compile_a_run():
    call_args = call("compile", "summary", "compile", "--run", "r", "--format", "json", output_format="json")
    assert call_args == mock.call(Path("r"), TargetConfig(), False)


def test_compile_a_file():
    call_args = call(
        *("compile_file", "compiled", "compile", "m.tflite", "--npu", "ethos-u85-256", "--system-config", "S"),
        *("--memory-mode", "M", "-o", "out", "--allow-cpu"),
    )
    target = TargetConfig(npu="ethos-u85-256", system_config="S", memory_mode="M")
    assert call_args == mock.call(Path("m.tflite"), target, Path("out"), True)


def test_compile_writes_a_run_into_its_folder_only():
    result = CliRunner().invoke(main, ["compile", "-o", "out"])
    assert result.stderr.startswith("error: --output goes with MODEL.tflite")
    assert result.exit_code == 2


def test_evaluate_with_nothing_given():
    assert call("evaluate", "qualities", "evaluate") == mock.call(DEFAULT, (), "dev", None, None)


def test_evaluate_with_everything_given(tmp_path):
    folder = str(tmp_path)
    call_args = call(
        *("evaluate", "qualities", "evaluate", "baseline", "b", "--run", "r", "--split", "test"),
        *("--test-speech", folder, "--test-noise", folder, "--format", "csv"),
        output_format="csv",
    )
    assert call_args == mock.call(Path("r"), ("baseline", "b"), "test", folder, folder)


def test_folders_of_the_test_split_go_with_the_test_split(tmp_path):
    result = CliRunner().invoke(main, ["evaluate", "--test-speech", str(tmp_path)])
    assert result.stderr.startswith("error: --test-speech and --test-noise go with --split test")
    assert result.exit_code == 2


def test_run_has_a_folder_of_its_own(tmp_path):
    recipe = tmp_path / "night.toml"
    recipe.write_text("[train]\nepochs = 2\n")
    assert call("run", "summaries", "run", str(recipe)).args[1] == Path("runs/night")


def test_run(tmp_path):
    recipe = tmp_path / "r.toml"
    recipe.write_text("[train]\nepochs = 3\nseed = 4\n")
    call_args = call("run", "summaries", "run", str(recipe), "--run", "r", "--set", "train.seed=5")
    assert call_args == mock.call(RunConfig(train=TrainConfig(epochs=3, seed=5)), Path("r"))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_named_as_in_the_table_and_explained(name):
    command = main.get_command(None, name)
    assert command.name == name
    assert command.help
    assert all(option.help for option in command.params if isinstance(option, click.Option))
