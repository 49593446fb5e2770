"""Settings that do not name their data set: those of `train` and of a recipe are read by the same rule."""

import numpy as np
import pytest

from tests.data.test_kinds import words
from tinyprune.cli.data_kind import completed, recipe_at
from tinyprune.config import ArrayData, KeywordData, MixtureData
from tinyprune.errors import UsageError


@pytest.fixture
def folder(tmp_path):
    np.savez(tmp_path / "x.npz", x=np.zeros((4, 3), np.float32), y=np.arange(4))
    words(tmp_path / "words")
    return tmp_path


def read(folder, table):
    path = folder / "recipe.toml"
    path.write_text(f"[data]\n{table}\n")
    return recipe_at(path).data


def test_what_lies_at_the_path_of_a_recipe_names_the_data_set(folder, log_lines):
    assert read(folder, 'path = "x.npz"') == ArrayData(arrays=str(folder / "x.npz"))
    assert read(folder, 'path = "words"') == KeywordData(path=str(folder / "words"))
    assert log_lines == [
        "data: arrays, as x.npz holds arrays; `name` in [data] says otherwise",
        "data: keywords, as words holds folders WORD/*.wav; `name` in [data] says otherwise",
    ]


def test_a_setting_that_one_data_set_has_names_it(folder):
    assert read(folder, 'arrays = "x.npz"') == ArrayData(arrays=str(folder / "x.npz"))
    expected = MixtureData(speech=str(folder / "a"), noise=str(folder / "b"))
    assert read(folder, 'speech = "a"\nnoise = "b"') == expected


def test_a_name_is_believed_and_the_path_is_the_place_it_calls_otherwise(folder):
    assert read(folder, 'name = "arrays"\npath = "x.npz"') == ArrayData(
        arrays=str(folder / "x.npz")
    )


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ('path = "none.npz"', "none.npz does not exist: expected a file of arrays"),
        ("path = 3", "data.path"),
        ('name = "none"\npath = "x.npz"', "unknown dataset 'none': expected one of: "),
    ],
)
def test_what_makes_no_sense_is_one_line_with_the_recipe(folder, table, message):
    with pytest.raises(UsageError, match=r"recipe\.toml: ") as failure:
        read(folder, table)
    assert message in str(failure.value)


def test_without_any_of_them_nothing_is_added():
    assert completed({"minutes": 3.0}, how_to_name="--data") == {"minutes": 3.0}
