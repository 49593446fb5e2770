import dataclasses

import numpy as np
import pytest

from tinyprune.errors import UsageError
from tinyprune.sparsity import block, n_m, unit, weight
from tinyprune.sparsity.block import Block
from tinyprune.sparsity.n_m import NOfM
from tinyprune.sparsity.structure import Structure, parse
from tinyprune.sparsity.unit import Unit
from tinyprune.sparsity.weight import Weight
from tinyprune.storage.records import from_jsonable, to_jsonable

SHAPE = (3, 3, 8, 16)


@pytest.mark.parametrize(
    ("name", "size", "structure", "label", "fixed", "ids"),
    [
        ("weight", "16x16", Weight(), "weight", None, weight.groups(SHAPE)),
        ("unit", "16x16", Unit(), "unit", None, unit.groups(SHAPE)),
        (
            "block",
            "8x16",
            Block(8, 16),
            "block 8x16",
            None,
            block.groups(SHAPE, 8, 16),
        ),
        ("block", "1x8", Block(1, 8), "block 1x8", None, block.groups(SHAPE, 1, 8)),
        ("2:4", "16x16", NOfM(n=2, m=4), "2:4", 1 - 2 / 4, n_m.groups(SHAPE, 2, 4)),
        ("1:8", "nonsense", NOfM(n=1, m=8), "1:8", 1 - 1 / 8, n_m.groups(SHAPE, 1, 8)),
    ],
)
def test_a_name_becomes_a_structure(name, size, structure, label, fixed, ids):
    found = parse(name, size)
    assert found == structure
    assert (found.label, found.fixed_sparsity) == (label, fixed)
    np.testing.assert_array_equal(found.groups(SHAPE), ids)


def test_a_structure_has_its_own_numbers_only():
    assert dataclasses.asdict(parse("unit")) == {}
    assert dataclasses.asdict(parse("block", "1x8")) == {"rows": 1, "columns": 8}
    assert dataclasses.asdict(parse("2:4")) == {"n": 2, "m": 4}


@pytest.mark.parametrize(
    ("name", "size"), [("weight", ""), ("block", "4x8"), ("2:4", ""), ("unit", "")]
)
def test_a_record_keeps_the_label(name, size):
    structure = parse(name, size)
    assert to_jsonable({"structure": structure}) == {"structure": structure.label}
    assert from_jsonable(structure.label, Structure) == structure


def test_only_n_m_protects():
    importance = np.arange(8, dtype=np.float32)
    for name in ("weight", "block", "unit"):
        assert parse(name, "2x1").ranked(importance, (8, 1)) is importance
    np.testing.assert_array_equal(
        parse("2:4").ranked(importance, (8, 1)), [0, 1, np.inf, np.inf, 4, 5, np.inf, np.inf]
    )


@pytest.mark.parametrize(
    ("name", "says"),
    [
        (
            "blok",
            "unknown structure 'blok': did you mean 'block'? expected one of: 2:4, block, low-rank, unit, weight",
        ),
        ("", "unknown structure '': expected one of: 2:4, block, low-rank, unit, weight"),
        ("n:m", "structure 'n:m' is not n:m with two numbers: try 2:4"),
        ("2:", "structure '2:' is not n:m with two numbers: try 2:4"),
        ("2:4:8", "structure '2:4:8' is not n:m with two numbers: try 2:4"),
        ("-1:4", "structure '-1:4' is not n:m with two numbers: try 2:4"),
        ("5:4", "structure '5:4' keeps 5 of 4 weights: expected n:m with 1 <= n < m, try 2:4"),
        ("4:4", "structure '4:4' keeps 4 of 4 weights: expected n:m with 1 <= n < m, try 2:4"),
        ("0:4", "structure '0:4' keeps 0 of 4 weights: expected n:m with 1 <= n < m, try 2:4"),
    ],
)
def test_names_that_make_no_sense(name, says):
    with pytest.raises(UsageError) as caught:
        parse(name)
    assert str(caught.value).startswith(says)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "size", ["16", "0x4", "4x0", "ax4", "4x", "x4", "4x4x4", "-1x4", "4X4", "4 x 4", "", "1e3x4"]
)
def test_block_sizes_that_make_no_sense(size):
    with pytest.raises(
        UsageError, match=f"^block size '{size}' is not RxC, .*: try 16x16, 1x16 or 16x1$"
    ):
        parse("block", size)
