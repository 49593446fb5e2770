"""Each command calls one function of a stage, with exactly these arguments."""

import json
from pathlib import Path
from unittest import mock

import click
import pytest
from click.testing import CliRunner

from tinyprune.cli import COMMANDS, main
from tinyprune.config import (
    ArrayData,
    ImageData,
    KeywordData,
    MagnitudePruning,
    MixtureData,
    ModelConfig,
    OfflinePruning,
    PairedData,
    RunConfig,
    TrainConfig,
)
from tinyprune.config.budget import Budget, BudgetConfig
from tinyprune.data.speech.evaluation_data import EvaluationData
from tinyprune.metrics.scores import ItemScore, Scored, Scores
from tinyprune.npu import targets
from tinyprune.stages.model_reference import EvaluationRequest

DEFAULT = Path("runs/default")
NO_CPU = Budget(cpu_operators=0)
NOTHING_SCORED = Scored("dev", (), None, ())


def call(function, printer, *arguments, output_format="table"):
    """The arguments with which a command line calls a function of a stage; its result goes to a printer."""
    with (
        mock.patch(f"tinyprune.stages.{function}", autospec=True, return_value="result") as patched,
        mock.patch(f"tinyprune.cli.output.{printer}", autospec=True) as printed,
    ):
        result = CliRunner().invoke(main, arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    patched.assert_called_once()
    printed.assert_called_once_with("result", output_format)
    return patched.call_args


def call_compile(
    function, printer, *arguments, output_format="table", gate=(), limits=NO_CPU, said=""
):
    """The same of a command that ends with a gate; what it is called with is checked too."""
    with (
        mock.patch(f"tinyprune.stages.{function}", autospec=True, return_value=[]) as patched,
        mock.patch(f"tinyprune.cli.resource_output.{printer}", autospec=True) as printed,
        mock.patch("tinyprune.cli.resource_output.gate", autospec=True) as gated,
    ):
        result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0
    assert result.stderr.startswith(said) if said else not result.stderr
    patched.assert_called_once()
    printed.assert_called_once_with([], output_format)
    gated.assert_called_once_with([], limits, gate, output_format)
    return patched.call_args


def call_train(*arguments):
    """The arguments with which a command line calls ``train_baseline``, which has nothing to print."""
    with mock.patch(
        "tinyprune.stages.train.train_baseline", autospec=True, return_value=None
    ) as patched:
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
        *(
            "--dev-speech",
            folder,
            "--dev-noise",
            folder,
            "--test-speech",
            folder,
            "--test-noise",
            folder,
        ),
        *(
            "--snr",
            "-6:3",
            "--minutes",
            "2",
            "--epochs",
            "3",
            "--batch-size",
            "4",
            "--learning-rate",
            "0.5",
        ),
        *("--loss", "si-sdr", "--seed", "5", "--set", "data.seed=6", "--set", "train.frames=7"),
    )
    data = MixtureData(
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
    assert call_args == mock.call(
        Path("r"), RunConfig(data=data, model=ModelConfig("tinylstm"), train=train)
    )


def test_train_on_speech_in_rooms_and_babble(tmp_path):
    folder = str(tmp_path)
    call_args = call_train(
        *(
            "--speech",
            folder,
            "--noise",
            folder,
            "--rirs",
            folder,
            "--level",
            "-30:-20",
            "--speed",
            "0.9:1.1",
        ),
        *("--babble", "0.25"),
    )
    varied = {"level_db": (-30.0, -20.0), "speed": (0.9, 1.1), "babble": 0.25}
    data = MixtureData(speech=folder, noise=folder, rirs=folder, **varied)
    assert call_args == mock.call(DEFAULT, RunConfig(data=data))


def test_train_on_several_folders(tmp_path):
    first, second = (tmp_path / name for name in ("a", "b"))
    for folder in (first, second):
        folder.mkdir()
    speech = ("--speech", str(first), "--speech", str(second), "--speech", str(first))
    data = MixtureData(speech=(str(first), str(second)), noise=str(first))
    found = call_train(*speech, "--noise", str(first))
    assert found == mock.call(DEFAULT, RunConfig(data=data))


def test_train_on_recordings_of_all_kinds(tmp_path):
    folder = str(tmp_path)
    flags = (
        *("--talkers", "0.1", "--clean-share", "0.2", "--tilt", "-3:4", "--colour", "5"),
        *("--narrow", "0.1", "--clipped", "0.05", "--rooms", "40", "--max-attenuation", "20dB"),
    )
    data = MixtureData(
        speech=folder,
        noise=folder,
        talkers=0.1,
        clean_share=0.2,
        tilt_db=(-3.0, 4.0),
        colour_db=5.0,
        narrow=0.1,
        clipped=0.05,
        rooms=40,
        max_attenuation_db=20.0,
    )
    called = call_train("--speech", folder, "--noise", folder, *flags)
    assert called == mock.call(DEFAULT, RunConfig(data=data))


def test_train_on_pairs(tmp_path):
    folders = ("noisy", "clean", "dev_noisy", "dev_clean", "test_noisy", "test_clean")
    given = {name: tmp_path / name for name in folders}
    for folder in given.values():
        folder.mkdir()
    flags = [
        part for name, path in given.items() for part in (f"--{name.replace('_', '-')}", str(path))
    ]
    data = PairedData(**{name: str(path) for name, path in given.items()})
    assert call_train(*flags) == mock.call(DEFAULT, RunConfig(data=data))


@pytest.mark.parametrize(
    ("folders", "kind"),
    [
        (("noisy_testset_wav", "clean_testset_wav"), PairedData),
        (("clean_train", "noise_train"), MixtureData),
    ],
)
def test_train_on_a_corpus_that_is_recognised(tmp_path, folders, kind):
    for folder in folders:
        (tmp_path / folder).mkdir()
    assert call_train("--path", str(tmp_path)) == mock.call(
        DEFAULT, RunConfig(data=kind(path=str(tmp_path)))
    )


def test_train_on_arrays_by_their_path(tmp_path):
    file = tmp_path / "x.npz"
    file.touch()
    called = call_train("--data", "arrays", "--path", str(file))
    assert called == mock.call(DEFAULT, RunConfig(data=ArrayData(arrays=str(file))))
    both = ["train", "--data", "arrays", "--arrays", str(file), "--path", str(file)]
    result = CliRunner().invoke(main, both)
    assert result.exit_code == 2
    assert "data.path: is not used by" in result.stderr


def test_train_on_keywords_with_a_network_of_ones_own(tmp_path):
    folder = str(tmp_path)
    call_args = call_train(
        *("--data", "keywords", "--path", folder, "--words", "yes,no", "--model", "nets:build"),
        *("--custom", "nets.layers", "--custom", "nets.functions"),
    )
    config = RunConfig(
        data=KeywordData(path=folder, words=("yes", "no")),
        model=ModelConfig("nets:build", ("nets.layers", "nets.functions")),
    )
    assert call_args == mock.call(DEFAULT, config)


def test_train_on_images(tmp_path):
    path = tmp_path / "images.npz"
    path.touch()
    call_args = call_train("--data", "images", "--path", str(path), "--set", "data.normalise=unit")
    assert call_args == mock.call(
        DEFAULT, RunConfig(data=ImageData(path=str(path), normalise="unit"))
    )


def test_prune_with_nothing_given():
    assert call("prune.prune_variants", "qualities", "prune") == mock.call(
        DEFAULT, [MagnitudePruning()], force=False
    )


def test_prune_with_everything_given():
    call_args = call(
        *(
            "prune.prune_variants",
            "qualities",
            "prune",
            "--run",
            "r",
            "--structure",
            "block",
            "--block-size",
            "4x16",
        ),
        *(
            "--sparsity",
            "0.9",
            "--importance",
            "l2",
            "--scope",
            "layer",
            "--exclude",
            "head",
            "--exclude",
            "a_*",
        ),
        *(
            "--round-to",
            "4",
            "--schedule",
            "constant",
            "--begin",
            "0.1",
            "--end",
            "300",
            "--epochs",
            "3",
        ),
        *(
            "--learning-rate",
            "0.5",
            "--no-distill",
            "--from",
            "b",
            "--name",
            "n",
            "--seed",
            "5",
            "--format",
            "json",
        ),
        output_format="json",
    )
    assert call_args == mock.call(
        Path("r"),
        [
            MagnitudePruning(
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
        force=False,
    )


def test_prune_by_two_structures_and_up_a_ladder():
    call_args = call(
        *(
            "prune.prune_variants",
            "qualities",
            "prune",
            "--structure",
            "unit",
            "--sparsity",
            "0.5",
            "--then",
            "weight",
        ),
        *("--sparsity", "0.6,0.8", "--then", "2:4", "--epochs", "2"),
    )
    first = "unit-0.50-weight-0.60"
    assert call_args == mock.call(
        DEFAULT,
        [
            MagnitudePruning(structure="unit", sparsity=0.5, epochs=2),
            MagnitudePruning(base="unit-0.50", sparsity=0.6, epochs=2),
            MagnitudePruning(base=first, sparsity=0.8, name="unit-0.50-weight-0.80", epochs=2),
            MagnitudePruning(base="unit-0.50-weight-0.80", structure="2:4", epochs=2),
        ],
        force=False,
    )


def test_prune_shows_its_plan_and_stops():
    with mock.patch("tinyprune.stages.prune.prune_variants", autospec=True) as prune:
        assert call("prune.plan_pruning", "plan", "prune", "--show-plan") == mock.call(
            DEFAULT, MagnitudePruning()
        )
    prune.assert_not_called()


def test_prune_offline():
    with mock.patch("tinyprune.stages.prune.prune_variants", autospec=True) as prune:
        call_args = call("offline.prune_offline", "offline", "prune", "--offline", "m.tflite")
        config = OfflinePruning()
        assert call_args == mock.call(DEFAULT, Path("m.tflite"), config, None, None)
    prune.assert_not_called()


def test_prune_offline_with_everything_given():
    call_args = call(
        *(
            "offline.prune_offline",
            "offline",
            "prune",
            "--run",
            "r",
            "--offline",
            "m.tflite",
            "-o",
            "out.tflite",
        ),
        *(
            "--structure",
            "block",
            "--block-size",
            "4x4",
            "--sparsity",
            "0.5",
            "--importance",
            "l2",
            "--scope",
            "layer",
        ),
        *("--name", "n", "--clusters", "16", "--format", "csv"),
        output_format="csv",
    )
    values = {
        "name": "n",
        "structure": "block",
        "block_size": "4x4",
        "sparsity": 0.5,
        "importance": "l2",
    }
    config = OfflinePruning(**values, scope="layer", clusters=16)
    assert call_args == mock.call(Path("r"), Path("m.tflite"), config, Path("out.tflite"), None)


@pytest.mark.parametrize(("arguments", "variant"), [([], None), (["weight-0.80"], "weight-0.80")])
def test_export(arguments, variant):
    assert call("export.export_variant", "qualities", "export", *arguments) == mock.call(
        DEFAULT, variant
    )


@pytest.fixture
def begun_run(tmp_path, monkeypatch):
    """A default run in which something was begun: without one, the pretrained network takes its place."""
    monkeypatch.chdir(tmp_path)
    variant = DEFAULT / "variants/baseline/variant.json"
    variant.parent.mkdir(parents=True)
    variant.touch()


@pytest.mark.usefixtures("begun_run")
def test_compile_with_nothing_given():
    assert call_compile("compile.compile_variants", "summaries", "compile") == mock.call(
        DEFAULT, [targets.resolve("ethos-u55-128")]
    )


def test_compile_a_run_for_several_targets_under_a_budget():
    call_args = call_compile(
        *(
            "compile.compile_variants",
            "summaries",
            "compile",
            "--run",
            "r",
            "--npu",
            "ethos-u55-128",
            "--npu",
            "ethos-u85-256",
        ),
        *(
            "--memory-mode",
            "Shared_Sram",
            "--memory-mode",
            "Sram_Only",
            "--gate",
            "weight-0.80",
            "--format",
            "json",
        ),
        *(
            "--max-flash",
            "100KiB",
            "--max-sram",
            "64kB",
            "--max-cycles",
            "200k",
            "--max-latency",
            "16ms",
        ),
        *("--max-cpu-ops", "2", "--max-macs", "2M"),
        output_format="json",
        gate=("weight-0.80",),
        limits=Budget(100 * 1024, 64 * 1000, 200_000, 0.016, 2, 2_000_000),
    )
    modes = ("Shared_Sram", "Sram_Only")
    wanted = [
        targets.resolve(npu, None, mode)
        for npu in ("ethos-u55-128", "ethos-u85-256")
        for mode in modes
    ]
    assert call_args == mock.call(Path("r"), wanted)


@pytest.mark.usefixtures("begun_run")
def test_compile_for_all_targets():
    call_args = call_compile("compile.compile_variants", "summaries", "compile", "--all-targets")
    assert call_args == mock.call(DEFAULT, targets.all_targets())


def test_compile_without_a_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    call_args = call_compile(
        "compile.compile_file", "compiled", "compile", said="model: pretrained, "
    )
    assert call_args == mock.call(Path("pretrained"), [targets.resolve("ethos-u55-128")], None)


def test_compile_a_file():
    call_args = call_compile(
        *("compile.compile_file", "compiled", "compile", "m.tflite", "--npu", "ethos-u85-256"),
        *(
            "--system-config",
            "Ethos_U85_SYS_DRAM_Low",
            "--memory-mode",
            "Sram_Only",
            "-o",
            "out",
            "--allow-cpu",
        ),
        limits=Budget(),
    )
    target = targets.resolve("ethos-u85-256", "Ethos_U85_SYS_DRAM_Low", "Sram_Only")
    assert call_args == mock.call(Path("m.tflite"), [target], Path("out"))


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--gate", "v", "m.tflite"], "--gate goes with a run"),
        (
            ["--max-flash", "1kB", "--max-flash", "2kB"],
            "--max-flash 1kB and 2kB contradict each other: give one",
        ),
        (
            ["--allow-cpu", "--max-cpu-ops", "0"],
            "--allow-cpu and --max-cpu-ops 0 contradict each other: give one",
        ),
        (["--max-flash", "100 kb"], "max_flash: '100 kb'"),
        (["--max-cycles", "0"], "max_cycles: nothing fits into '0'"),
        (["--max-cpu-ops", "-1"], "--max-cpu-ops -1: expected a whole number of at least 0"),
        (["--all-targets", "--memory-mode", "Sram_Only"], "--all-targets takes every memory mode"),
    ],
)
def test_limits_and_targets_that_make_no_sense(arguments, complaint):
    result = CliRunner().invoke(main, ["compile", *arguments])
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: {complaint}")
    assert result.stderr.count("\n") == 1


def test_compile_writes_a_run_into_its_folder_only():
    result = CliRunner().invoke(main, ["compile", "-o", "out"])
    assert result.stderr.startswith("error: --output goes with MODEL.tflite")
    assert result.exit_code == 2


def call_evaluate(*arguments, scored=NOTHING_SCORED, exit_code=0):
    """The arguments with which a command line calls ``evaluate_models``, and what it prints of the scores."""
    with mock.patch(
        "tinyprune.stages.evaluate.evaluate_models", autospec=True, return_value=scored
    ) as patched:
        result = CliRunner().invoke(main, ["evaluate", *arguments])
    assert result.exit_code == exit_code, result.output
    patched.assert_called_once()
    return patched.call_args, result


def test_evaluate_with_nothing_given():
    call_args, result = call_evaluate()
    assert call_args == mock.call(DEFAULT, (), EvaluationRequest())
    assert (result.stdout.splitlines()[0], result.stderr) == ("0 examples of the dev split", "")


def test_evaluate_with_everything_given(tmp_path):
    folder, file = str(tmp_path), tmp_path / "f.json"
    call_args, result = call_evaluate(
        *(
            "baseline:float",
            "b",
            "--run",
            "r",
            "--split",
            "test",
            "--metric",
            "si-sdr",
            "--metric",
            "pesq",
        ),
        *(
            "--test-speech",
            folder,
            "--test-noise",
            folder,
            "--frontend",
            str(file),
            "--format",
            "json",
        ),
        *(
            "--max-drop",
            "sdr=0.1",
            "--max-drop",
            "stoi=0.01",
            "--files",
            str(tmp_path / "files.csv"),
        ),
    )
    metrics, data = ("si_sdr_db", "pesq_wb"), EvaluationData(test_speech=folder, test_noise=folder)
    asked = EvaluationRequest("test", metrics, data, file, ("sdr_db", "stoi"))
    assert call_args == mock.call(Path("r"), ("baseline:float", "b"), asked)
    assert json.loads(result.stdout)["rows"] == []
    assert (tmp_path / "files.csv").exists()


@pytest.mark.parametrize("given", [("noisy", "clean"), ("path",), ("test_speech", "test_noise")])
def test_data_that_are_given_are_a_test_split(tmp_path, given):
    flags = [part for name in given for part in (f"--{name.replace('_', '-')}", str(tmp_path))]
    call_args, _ = call_evaluate("m.tflite", *flags)
    assert call_args == mock.call(
        DEFAULT,
        ("m.tflite",),
        EvaluationRequest("test", (), EvaluationData(**dict.fromkeys(given, str(tmp_path)))),
    )
    result = CliRunner().invoke(main, ["evaluate", *flags, "--split", "dev"])
    assert result.stderr.startswith(
        "error: --split dev is the run's own: leave it out, or leave out the folders"
    )
    assert result.exit_code == 2


def test_evaluate_as_a_gate():
    """A falls by 1 dB and by nothing in STOI; results stay on stdout, verdicts go to stderr unless they are a table."""
    models = [
        (
            Scores(
                name,
                "float",
                "dev",
                ("sdr_db",),
                tuple(ItemScore(str(i), "", "", None, {"sdr_db": i - fall}) for i in (1, 2)),
            ),
        )
        for name, fall in (("baseline", 0.0), ("A", 1.0))
    ]
    scored = Scored("dev", ("sdr_db",), None, tuple(models))
    _, result = call_evaluate("baseline", "A", "--max-drop", "sdr=1", scored=scored)
    assert result.stdout.splitlines()[-1].split() == [
        "A",
        "float",
        "SDR",
        "dB",
        "-1.00",
        "-1.00",
        "to",
        "-1.00",
        "-1.00",
        "holds",
    ]
    _, result = call_evaluate(
        "A", "--max-drop", "sdr=0.5", "--format", "csv", scored=scored, exit_code=3
    )
    assert result.stdout.startswith("model,form,split,")
    assert "TOO FAR" not in result.stdout
    assert result.stderr.splitlines()[-2].endswith("TOO FAR")
    assert result.stderr.splitlines()[-1].startswith(
        "error: A float: SDR 1.00 dB below baseline float (95 % interval "
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--max-drop", "sdr"],
            "--max-drop sdr: expected METRIC=X with X of at least 0, e.g. sdr=0.1",
        ),
    ],
)
def test_evaluations_that_make_no_sense(arguments, message):
    result = CliRunner().invoke(main, ["evaluate", *arguments])
    assert result.stderr.startswith(f"error: {message}")
    assert result.exit_code == 2


def test_run_has_a_folder_of_its_own(tmp_path):
    recipe = tmp_path / "night.toml"
    recipe.write_text("[train]\nepochs = 2\n")
    assert call_compile("recipe.run_recipe", "summaries", "run", str(recipe)).args[1] == Path(
        "runs/night"
    )


def test_run(tmp_path):
    recipe = tmp_path / "r.toml"
    recipe.write_text("[train]\nepochs = 3\nseed = 4\n")
    call_args = call_compile(
        "recipe.run_recipe", "summaries", "run", str(recipe), "--run", "r", "--set", "train.seed=5"
    )
    assert call_args == mock.call(
        RunConfig(train=TrainConfig(epochs=3, seed=5)), Path("r"), False, Budget(cpu_operators=0)
    )


def test_run_under_the_budget_of_its_recipe_and_that_of_the_command_line(tmp_path):
    recipe = tmp_path / "r.toml"
    recipe.write_text(
        '[budget]\nmax_flash = "100KiB"\nmax_cycles = 200000\nmax_macs = 2e6\nmax_cpu_ops = 1\n'
    )
    limits = Budget(flash_bytes=100 * 1024, cycles=100_000, cpu_operators=1, macs=2_000_000)
    call_args = call_compile(
        *("recipe.run_recipe", "summaries", "run", str(recipe), "--max-cycles", "100k"),
        limits=limits,
    )
    budget = BudgetConfig(
        max_flash="100KiB", max_cycles="200000", max_macs="2000000", max_cpu_ops=1
    )
    assert call_args == mock.call(RunConfig(budget=budget), Path("runs/r"), False, limits)


def test_report():
    with (
        mock.patch(
            "tinyprune.stages.report.report_run", autospec=True, return_value="record"
        ) as collected,
        mock.patch(
            "tinyprune.report.render.formats.to_format", autospec=True, return_value="text"
        ) as written,
    ):
        result = CliRunner().invoke(main, ["report", "--run", "r", "--format", "json"])
    assert (result.exit_code, result.stdout) == (0, "text")
    collected.assert_called_once_with(Path("r"))
    written.assert_called_once_with("record", Path("r"), "json")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--operators"], "--operators goes with VARIANT"),
        (
            ["baseline", "--format", "html"],
            "VARIANT goes with --format table: html has all variants",
        ),
    ],
)
def test_report_of_variants_is_a_table(arguments, complaint):
    result = CliRunner().invoke(main, ["report", *arguments])
    assert (result.exit_code, result.stderr.startswith(f"error: {complaint}")) == (2, True)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_named_as_in_the_table_and_explained(name):
    command = main.get_command(None, name)
    assert command.name == name
    assert command.help
    assert all(option.help for option in command.params if isinstance(option, click.Option))
