import pytest
from click.testing import CliRunner

from tinyprune.cli import main


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["prune", "--sparsity", "80"], "--sparsity 80: expected a fraction in [0, 1), e.g. 0.8"),
        (["prune", "--sparsity", "1"], "--sparsity 1: expected a fraction in [0, 1), e.g. 0.8"),
        (["prune", "--sparsity", "nan"], "--sparsity nan: expected a fraction in [0, 1), e.g. 0.8"),
        (["prune", "--sparsity", "80%"], "--sparsity 80%: expected a fraction in [0, 1), e.g. 0.8"),
        (
            ["prune", "--sparsity", "0.8,0.5"],
            "--sparsity 0.8,0.5: expected a fraction in [0, 1), e.g. 0.8, or several ",
        ),
        (
            ["prune", "--sparsity", "0.5,0.5"],
            "--sparsity 0.5,0.5: expected a fraction in [0, 1), e.g. 0.8, or several ",
        ),
        (
            ["prune", "--sparsity", "0.5,"],
            "--sparsity 0.5,: expected a fraction in [0, 1), e.g. 0.8, or several ",
        ),
        (
            ["prune", "--sparsity", "0.5", "--sparsity", "0.8"],
            "weight: expected 1 or fewer --sparsity",
        ),
        (
            ["prune", "--structure", "2:4", "--sparsity", "0.8"],
            "--sparsity 0.8: 2:4 has its own, 0.5: leave --sparsity out, or try --structure weight",
        ),
        (
            ["prune", "--structure", "5:4"],
            "structure '5:4' keeps 5 of 4 weights: expected n:m with 1 <= n < m",
        ),
        (["prune", "--then", "blok"], "unknown structure 'blok': did you mean 'block'?"),
        (["prune", "--block-size", "16", "--structure", "block"], "block size '16' is not RxC"),
        (
            ["prune", "--importance", "l3"],
            "unknown importance 'l3': expected one of: l1, l2, lamp, relative, taylor",
        ),
        (["prune", "--scope", "all"], "scope: expected one of: global, layer, got all"),
        (
            ["prune", "--begin", "-1"],
            "--begin -1: expected a fraction of the training up to 1, or a step",
        ),
        (
            ["prune", "--end", "inf"],
            "--end inf: expected a fraction of the training up to 1, or a step",
        ),
        (
            ["prune", "--begin", "0.5", "--end", "0.2"],
            "end: the schedule would end at 0.2 before it begins at 0.5",
        ),
        (["prune", "--round-to", "0"], "--round-to 0: expected a whole number of at least 1"),
        (
            ["prune", "--offline", "m.tflite", "--epochs", "3"],
            "--epochs goes with training: --offline prunes once",
        ),
        (
            ["prune", "--offline", "m.tflite", "--from", "a"],
            "--from goes with training: --offline prunes once",
        ),
        (
            ["prune", "--offline", "m.tflite", "--then", "unit"],
            "--then goes with training: --offline prunes once",
        ),
        (
            ["prune", "--offline", "m.tflite", "--sparsity", "0.5,0.8"],
            "a ladder of --sparsity goes with training: ",
        ),
        (
            ["prune", "--offline", "m.tflite", "--show-plan"],
            "--show-plan goes with training: --offline prints what it",
        ),
        (["prune", "--offline", "m.tflite"], "m.tflite does not exist: expected a .tflite file"),
        (["prune", "-o", "m.tflite"], "--output goes with --offline"),
        (
            ["prune", "--clusters", "2"],
            "clusters: zero and one of each sign are the fewest that can be learned",
        ),
        (
            ["prune", "--method", "differentiable", "--max-macs", "1M", "--clusters", "16"],
            "--clusters does not go with --method differentiable: cluster its result: --from it",
        ),
        (
            ["prune", "--offline", "m.tflite", "--clusters", "0"],
            "clusters: expected 2 to 255 values, e.g. 16, got 0",
        ),
        (
            ["prune", "--offline", "m.tflite", "--clusters", "1"],
            "clusters: expected 2 to 255 values, e.g. 16, got 1",
        ),
        (
            ["prune", "--offline", "m.tflite", "--clusters", "256"],
            "clusters: expected 2 to 255 values, e.g. 16",
        ),
        (["train", "--path", "none"], "Invalid value for '--path': Path 'none' does not exist."),
        (
            ["train", "--words", "yes,no"],
            'data.words: is not used by data.name = "synthetic-speech"; choose "keywords"',
        ),
        (
            ["train", "--data", "keywords"],
            'data.path: data.name = "keywords" needs it: give --path',
        ),
        (
            ["train", "--model", "gone.keras"],
            "there is no file gone.keras: expected a file (.keras, .h5, .hdf5) or ",
        ),
        (
            ["train", "--set", "train.epochs=0"],
            "train.epochs: expected at least 1, got 0: only a model of your own ",
        ),
        (
            ["train", "--snr", "9:-6"],
            "--snr 9:-6: expected a range LO:HI in dB with LO <= HI, e.g. -6:9",
        ),
        (
            ["train", "--snr", "-6"],
            "--snr -6: expected a range LO:HI in dB with LO <= HI, e.g. -6:9",
        ),
        (
            ["train", "--snr", "-inf:9"],
            "--snr -inf:9: expected a range LO:HI in dB with LO <= HI, e.g. -6:9",
        ),
        (["train", "--epochs", "0"], "--epochs 0: expected a whole number of at least 1"),
        (["train", "--epochs", "1.5"], "--epochs 1.5: expected a whole number of at least 1"),
        (["train", "--minutes", "0"], "--minutes 0: expected a number above 0"),
        (["train", "--seed", "-1"], "--seed -1: expected a whole number of at least 0"),
        (
            ["train", "--seed", "4294967296"],
            "--seed 4294967296: expected a whole number of at least 0, at most 4294967295",
        ),
        (
            ["prune", "--epochs", "100000000000000000000"],
            "--epochs 100000000000000000000: expected a whole number of at least 1, at most 1000000",
        ),
        (
            ["train", "--set", "train.seed=4294967296"],
            "train.seed: expected at least 0, at most 429",
        ),
        (["report", "--run", ""], "--run is empty: expected a folder, . is the one here"),
        (["verify", ""], "RUN is empty"),
        (["compile", "a.tflite", "-o", ""], "--output is empty: expected a folder, . is the one"),
        (["compile", ""], "MODEL.tflite is empty"),
        (["firmware", "a.tflite", "-o", ""], "--output is empty"),
        (["firmware", "a.tflite", "-o", "c", "--name", ""], "--name is empty: expected a name"),
        (["sensitivity", "--picture", ""], "--picture is empty: expected a file"),
        (["sweep", ""], "RECIPE.toml is empty: expected a file"),
        (["data", "describe", ""], "PATH is empty"),
        (["data", "mix", ""], "OUT is empty"),
        (["train", "--model", "tinylstn"], "unknown model 'tinylstn': did you mean 'tinylstm'?"),
        (
            ["train", "--loss", "fokal"],
            "unknown loss 'fokal': did you mean 'focal'?",
        ),
        (
            ["train", "--class-weights", "1,-2"],
            "train.class_weights: expected balanced, or numbers above 0 such as 1,2.5,1, got 1,-2",
        ),
        (
            ["train", "--set", "train.epohcs=3"],
            "unknown key 'train.epohcs': did you mean 'train.epochs'?",
        ),
        (
            ["train", "--set", "epochs"],
            "--set epochs: expected KEY=VALUE, e.g. --set train.epochs=3",
        ),
        (["prune", "--structure", "wieght"], "unknown structure 'wieght': did you mean 'weight'?"),
        (["prune", "--name", "a/b"], "name: 'a/b' cannot name a variant"),
        (["run", "none.toml"], "cannot read recipe none.toml: No such file or directory"),
    ],
)
def test_what_an_option_cannot_mean_is_said_before_anything_is_loaded(
    arguments, line, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, arguments)
    assert result.stderr.startswith(f"error: {line}")
    assert result.stderr.count("\n") == 1
    assert result.exit_code == 2
    assert not list(tmp_path.iterdir())
