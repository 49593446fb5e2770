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
        (["train", "--snr", "9:-6"], "--snr 9:-6: expected a range LO:HI in dB with LO <= HI, e.g. -6:9"),
        (["train", "--snr", "-6"], "--snr -6: expected a range LO:HI in dB with LO <= HI, e.g. -6:9"),
        (["train", "--snr", "-inf:9"], "--snr -inf:9: expected a range LO:HI in dB with LO <= HI, e.g. -6:9"),
        (["train", "--epochs", "0"], "--epochs 0: expected a whole number of at least 1"),
        (["train", "--epochs", "1.5"], "--epochs 1.5: expected a whole number of at least 1"),
        (["train", "--minutes", "0"], "--minutes 0: expected a number above 0"),
        (["train", "--seed", "-1"], "--seed -1: expected a whole number of at least 0"),
        (["train", "--model", "tinylstn"], "unknown model 'tinylstn': did you mean 'tinylstm'?"),
        (["train", "--loss", "mse"], "train.loss: expected one of: si-sdr, spectrum, combined, got mse"),
        (["train", "--set", "train.epohcs=3"], "unknown key 'train.epohcs': did you mean 'train.epochs'?"),
        (["train", "--set", "epochs"], "--set epochs: expected KEY=VALUE, e.g. --set train.epochs=3"),
        (["prune", "--structure", "wieght"], "unknown structure 'wieght': did you mean 'weight'?"),
        (["prune", "--name", "a/b"], "name: 'a/b' cannot name a variant"),
        (["run", "none.toml"], "cannot read recipe none.toml: No such file or directory"),
    ],
)
def test_what_an_option_cannot_mean_is_said_before_anything_is_loaded(arguments, line):
    result = CliRunner().invoke(main, arguments)
    assert result.stderr.startswith(f"error: {line}")
    assert result.exit_code == 2
