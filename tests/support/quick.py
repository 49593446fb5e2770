"""Parameters of tests of which only some are quick: the others run in ``make test-all``."""

from collections.abc import Iterable, Mapping
from typing import Any

import pytest


def quick(cases: Mapping[str, Any] | Iterable[str], *names: str) -> list[Any]:
    """Return all cases as parameters; those that are not named are marked as slow.

    A mapping has the value of each name; of other cases the name itself is the value.
    """
    values = cases if isinstance(cases, Mapping) else {name: name for name in cases}
    unknown = set(names) - values.keys()
    assert not unknown, f"there is no case {unknown}"
    parameters = []
    for name, value in values.items():
        marks = () if name in names else pytest.mark.slow
        parameters.append(pytest.param(value, id=name, marks=marks))
    return parameters
