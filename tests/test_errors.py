import pytest

from tinyprune.errors import CheckFailed, TinypruneError, UsageError, unknown_name


@pytest.mark.parametrize(
    ("kind", "exit_code"), [(TinypruneError, 1), (UsageError, 2), (CheckFailed, 3)]
)
def test_every_error_has_the_documented_exit_code(kind, exit_code):
    assert kind("message").exit_code == exit_code
    assert isinstance(kind("message"), TinypruneError)


def test_an_unknown_name_suggests_the_closest_and_lists_all():
    error = unknown_name("model", "tinylstn", ["tinylstm", "dscnn"])
    assert (
        str(error)
        == "unknown model 'tinylstn': did you mean 'tinylstm'? expected one of: dscnn, tinylstm"
    )


def test_a_name_like_no_other_gets_no_suggestion():
    assert (
        str(unknown_name("model", "xyz", ["b", "a"]))
        == "unknown model 'xyz': expected one of: a, b"
    )
