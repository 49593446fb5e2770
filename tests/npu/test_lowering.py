"""Which kernels are lowered, what Vela makes of them, and that the device computes the same."""

from dataclasses import replace
from unittest import mock

import numpy as np
import pytest

from tests.support.one_operator import one_operator, random_input, with_blocks
from tinyprune.errors import TinypruneError
from tinyprune.npu import lowering, targets, vela
from tinyprune.npu.lowering import compile_lowered
from tinyprune.npu.stream.network import CompiledNetwork
from tinyprune.tflite.flatbuffer import read_file

U55 = targets.resolve("ethos-u55-128", memory_mode="Sram_Only")
U85 = targets.resolve("ethos-u85-256")


def file(tmp_path, kernel: np.ndarray, wide: bool = False):
    path = tmp_path / "network.tflite"
    path.write_bytes(one_operator(kernel, wide))
    return read_file(path)


def hold_to_dense(source, lowered, dense, wide: bool) -> None:
    """Hold the stream of a lowered network to the dense one."""
    networks = [CompiledNetwork(artifact.path) for artifact in (lowered, dense)]
    for seed in range(4):
        values = random_input(wide, source.graph.inputs[0].shape, seed)
        [[found], [expected]] = [network.invoke([values]) for network in networks]
        np.testing.assert_array_equal(found, expected)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "shape", "wide", "least"),
    [
        (U55, (256, 256), False, 1.5),
        (U55, (256, 256), True, 1.5),
        (U55, (3, 3, 64, 64), False, 1.2),
        (U85, (3, 3, 64, 64), False, 1.0),
    ],
)
def test_a_lowered_kernel_takes_fewer_cycles_for_the_same_bytes(
    target, shape, wide, least, tmp_path
):
    source = file(tmp_path, with_blocks(shape, 32, 32, 0.3, seed=1), wide)
    lowered = compile_lowered(source, target, tmp_path / "auto")
    dense = compile_lowered(source, replace(target, lower="never"), tmp_path / "never")
    assert dense.report.cycles >= least * lowered.report.cycles
    assert (len(lowered.report.lowered), dense.report.lowered) == (1, ())
    assert {cost.source for cost in lowered.report.operators} <= {0, None}
    hold_to_dense(source, lowered, dense, wide)


@pytest.mark.slow
def test_what_is_compiled_already_is_not_compiled_again(tmp_path):
    source = file(tmp_path, with_blocks((256, 256), 32, 64, 0.2))
    first = compile_lowered(source, U55, tmp_path / "out")
    with mock.patch.object(vela, "_run", side_effect=AssertionError):
        again = compile_lowered(source, U55, tmp_path / "out")
    assert again == first
    assert again.lowering == "auto"


def test_without_blocks_of_zeros_vela_runs_once(tmp_path):
    source = file(tmp_path, with_blocks((64, 64), 16, 16, 1.0))
    with mock.patch.object(vela, "_run", wraps=vela._run) as run:
        compiled = compile_lowered(source, U55, tmp_path / "out")
    assert (run.call_count, compiled.lowering, compiled.report.lowered) == (1, "", ())


@pytest.mark.slow
def test_a_division_that_vela_cannot_compile_leaves_the_kernel_dense(tmp_path):
    source = file(tmp_path, with_blocks((256, 256), 32, 64, 0.2))
    measured = lowering._Trials._measured

    def only_dense(trials, parts):
        if parts:
            raise TinypruneError("Vela was stopped after 300 s")
        return measured(trials, parts)

    with mock.patch.object(lowering._Trials, "_measured", only_dense):
        compiled = compile_lowered(source, U55, tmp_path / "out")
    assert compiled.report.lowered == ()
