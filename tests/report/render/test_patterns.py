"""Pictures of zeros, of kernels that are written here by hand: which pixel stands for which weight."""

import base64
import io
from pathlib import Path

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from PIL import Image

from tests.support import records
from tinyprune.artifacts.network import TFLiteArtifact
from tinyprune.errors import UsageError
from tinyprune.report.model.record import VariantRecord
from tinyprune.report.render import patterns
from tinyprune.report.render.patterns import SIDE, KernelMatrix

ORANGE = (198, 120, 60)


def tflite(path: Path, *operators: tuple[str, str, list[np.ndarray | None]]) -> Path:
    """A file with these operators: (kind, name of the output, inputs after the first: constant int8 or none)."""
    graph, model = schema.SubGraphT(), schema.ModelT()
    graph.tensors, graph.operators, model.buffers, model.operatorCodes = (
        [],
        [],
        [schema.BufferT()],
        [],
    )

    def tensor(name: str, values: np.ndarray | None) -> int:
        made = schema.TensorT()
        made.name, made.type, made.shape = (
            name,
            schema.TensorType.INT8,
            [1] if values is None else list(values.shape),
        )
        if values is not None:
            content = schema.BufferT()
            content.data = np.frombuffer(values.astype(np.int8).tobytes(), np.uint8)
            model.buffers.append(content)
            made.buffer = len(model.buffers) - 1
        graph.tensors.append(made)
        return len(graph.tensors) - 1

    given = tensor("x", None)
    for kind, name, constants in operators:
        made, code = schema.OperatorT(), schema.OperatorCodeT()
        code.builtinCode = getattr(schema.BuiltinOperator, kind)
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        made.opcodeIndex = len(model.operatorCodes)
        made.inputs = [
            given,
            *(-1 if each is None else tensor("w", each) for each in constants),
        ]
        made.outputs = [tensor(name, None)]
        model.operatorCodes.append(code)
        graph.operators.append(made)
    graph.inputs, graph.outputs, model.subgraphs, model.version = (
        [0],
        [len(graph.tensors) - 1],
        [graph],
        3,
    )
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(builder.Output())
    return path


def dense(path: Path, kernel: np.ndarray) -> Path:
    return tflite(path, ("FULLY_CONNECTED", "net/dense/MatMul", [kernel]))


def pixels(picture: patterns.Picture) -> np.ndarray:
    """Red, green and blue of every pixel."""
    content = base64.b64decode(picture.uri.removeprefix("data:image/png;base64,"))
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def shown(kernel: np.ndarray, baseline: np.ndarray | None = None) -> patterns.Picture:
    """The picture of a matrix (inputs, outputs)."""
    made = KernelMatrix("dense/kernel", kernel.astype(bool)[None, :, None])
    return patterns.picture(
        made, made if baseline is None else KernelMatrix("", baseline.astype(bool)[None, :, None])
    )


def test_rows_are_inputs_and_columns_outputs(tmp_path) -> None:
    kernel = np.array([[1, 0, 3], [0, 0, -128]])  # 2 outputs, 3 inputs
    [found] = patterns.kernels(dense(tmp_path / "a.tflite", kernel)).values()
    assert (found.name, found.shape) == ("dense/kernel", (3, 2))
    assert (found.kept[0, :, 0] == (kernel != 0).T).all()


def test_a_convolution_has_its_inputs_once_per_place(tmp_path) -> None:
    kernel = np.zeros((4, 2, 1, 3))  # 4 outputs, a window of 2 x 1, 3 inputs
    kernel[3, 1, 0, 2] = 5
    path = tflite(tmp_path / "a.tflite", ("CONV_2D", "net/conv/Conv", [kernel]))
    [found] = patterns.kernels(path).values()
    assert found.shape == (2 * 1 * 3, 4)
    assert found.kept[1, 2, 0, 3] and found.kept.sum() == 1


def test_a_depthwise_kernel_has_one_row_per_place(tmp_path) -> None:
    kernel = np.ones((1, 3, 3, 5))
    path = tflite(tmp_path / "a.tflite", ("DEPTHWISE_CONV_2D", "net/depthwise/Conv", [kernel]))
    [found] = patterns.kernels(path).values()
    assert found.shape == (3 * 3, 5)


def lstm(path: Path, units: int, inputs: int, zero_gate: int | None = None) -> Path:
    gates = [np.full((units, inputs), int(gate != zero_gate)) for gate in range(4)]
    return tflite(
        path, ("UNIDIRECTIONAL_SEQUENCE_LSTM", "x", [*gates, *[np.ones((units, units))] * 4])
    )


def test_the_gates_of_an_lstm_stand_side_by_side(tmp_path) -> None:
    found = patterns.kernels(lstm(tmp_path / "a.tflite", 8, 5, zero_gate=2), ["lstm_1"])
    assert {name: kernel.shape for name, kernel in found.items()} == {
        "lstm_1/kernel": (5, 4 * 8),
        "lstm_1/recurrent_kernel": (8, 4 * 8),
    }
    picture = patterns.pictures(found, found, 2)[0]
    row = pixels(picture)[0, :, 0]
    assert len(row) == 4 * 8 + 3 * 2  # two pixels between gates
    assert (row[:8] == 0).all() and (row[20:28] == 255).all() and (row[30:] == 0).all()
    assert tuple(pixels(picture)[0, 8]) == tuple(pixels(picture)[0, 29]) == ORANGE
    assert picture.sparsity == pytest.approx(1 / 4)


def test_removed_units_leave_a_hatched_field(tmp_path) -> None:
    picture = shown(np.ones((6, 4)), np.ones((8, 8)))
    image = pixels(picture)
    assert (picture.shape, picture.baseline) == ((6, 4), (8, 8))
    assert (image[:6, :4] == 0).all()
    gone = np.concatenate([image[:6, 4:].reshape(-1, 3), image[6:].reshape(-1, 3)])
    assert {tuple(pixel) for pixel in gone} == {ORANGE, (250, 236, 220)}
    assert picture.sparsity == 0


def test_removed_units_of_an_lstm_are_missing_in_every_gate(tmp_path) -> None:
    small, big = (patterns.kernels(lstm(tmp_path / f"{n}.tflite", n, 3), ["lstm"]) for n in (4, 8))
    row = pixels(patterns.picture(small["lstm/kernel"], big["lstm/kernel"]))[0]
    for gate in range(4):
        begin = gate * (8 + 2)
        assert (row[begin : begin + 4] == 0).all()
        assert (row[begin + 4 : begin + 8, 0] >= 198).all()


def test_removed_inputs_of_a_convolution_are_missing_at_every_place() -> None:
    small = KernelMatrix("conv/kernel", np.ones((2, 1, 1, 4), bool))
    big = KernelMatrix("conv/kernel", np.ones((2, 3, 1, 4), bool))
    kept = (pixels(patterns.picture(small, big))[:, 0] == 0).all(axis=-1)
    assert kept.tolist() == [True, False, False] * 2


def test_a_kernel_that_does_not_fit_has_its_own_frame() -> None:
    assert shown(np.ones((9, 4)), np.ones((8, 8))).baseline == (9, 4)


def test_a_big_kernel_is_reduced_and_its_blocks_are_still_seen() -> None:
    live = np.random.default_rng(0).random((1024 // 16, 512 // 16)) < 0.2
    picture = shown(np.kron(live, np.ones((16, 16))))
    assert picture.cell == (4, 4)
    image = pixels(picture)[:, :, 0]
    assert image.shape == (1024 // 4, 512 // 4) == (SIDE, SIDE // 2)
    assert (image == np.kron(np.where(live, 0, 255), np.ones((4, 4)))).all()


def test_grey_is_the_density_of_a_cell() -> None:
    kernel = np.zeros((512, 512))
    kernel[::2, ::2] = 1  # one of four in every cell of 2 x 2
    [grey] = np.unique(pixels(shown(kernel)))
    level = round((255 - grey) / 255 * 13)
    assert patterns.GREYS[level] == pytest.approx(1 / 4, abs=0.05)


def test_a_thin_kernel_does_not_become_a_line() -> None:
    picture = shown(np.ones((9, 2000)))
    assert picture.cell == (1, -(-2000 // SIDE))
    assert pixels(picture).shape[:2] == (9, 2000 // 8)


@pytest.mark.parametrize("shape", [(1, 1), (1, 3), (257, 255), (31, 1000), (3000, 2)])
def test_odd_sizes_have_no_edge_of_their_own(shape) -> None:
    picture = shown(np.ones(shape))
    assert (pixels(picture) == 0).all()
    assert max(picture.width, picture.height) <= SIDE and min(picture.width, picture.height) >= 1


def test_the_biggest_kernels_are_pictured_in_order(tmp_path) -> None:
    sizes = [4, 16, 8, 32]
    layers = [("FULLY_CONNECTED", f"net/dense_{n}/MatMul", [np.ones((n, n))]) for n in sizes]
    found = patterns.kernels(tflite(tmp_path / "a.tflite", *layers))
    assert [picture.name for picture in patterns.pictures(found, {}, 2)] == [
        "dense_16/kernel",
        "dense_32/kernel",
    ]


def test_layers_of_one_name_are_told_apart(tmp_path) -> None:
    layers = [("FULLY_CONNECTED", "net/twice/MatMul", [np.ones((2, 2))])] * 2
    found = patterns.kernels(tflite(tmp_path / "a.tflite", *layers), ["twice", "twice"])
    assert list(found) == ["twice/kernel", "twice/kernel 2"]


def artifact() -> TFLiteArtifact:
    return records.tflite_artifact("int8.tflite", layers=("dense",))


def test_a_gallery_leaves_out_what_cannot_be_read(tmp_path) -> None:
    dense(tmp_path / "variants/baseline/int8.tflite", np.ones((8, 8)))
    dense(tmp_path / "variants/unit-0.50/int8.tflite", np.ones((4, 8)))
    (tmp_path / "variants/broken").mkdir()
    (tmp_path / "variants/broken/int8.tflite").write_bytes(b"\0\0\0\0TFL3\xff\xff")
    names = ("baseline", "unit-0.50", "broken", "gone")
    records = [VariantRecord(name, "export", {}, tflite=artifact()) for name in names]
    shown = patterns.gallery([*records, VariantRecord("begun", "", {})], tmp_path)
    assert [(each.name, len(each.pictures)) for each in shown] == [
        ("unit-0.50", 1),
        ("broken", 0),
        ("gone", 0),
        ("begun", 0),
    ]
    assert shown[0].pictures[0].shape == (8, 4) and shown[0].pictures[0].baseline == (8, 8)
    assert patterns.gallery([], tmp_path) == []


def test_a_variant_without_a_baseline_is_pictured_alone(tmp_path) -> None:
    dense(tmp_path / "variants/weight-0.80/int8.tflite", np.eye(8))
    [shown] = patterns.gallery(
        [VariantRecord("weight-0.80", "export", {}, tflite=artifact())], tmp_path
    )
    assert shown.pictures[0].sparsity == pytest.approx(7 / 8)


def test_the_page_does_not_grow_without_end(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(patterns, "PICTURE_BYTES", 1)
    for name in ("baseline", "a", "b"):
        dense(tmp_path / f"variants/{name}/int8.tflite", np.ones((8, 8)))
    records = [
        VariantRecord(name, "export", {}, tflite=artifact()) for name in ("baseline", "a", "b")
    ]
    shown = patterns.gallery(records, tmp_path)
    assert [(len(each.pictures), each.left) for each in shown] == [(1, 0), (0, 1)]


def test_a_file_that_is_not_there_is_an_error(tmp_path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        patterns.kernels(tmp_path / "none.tflite")


def test_pictures_are_the_same_every_time() -> None:
    kernel = np.random.default_rng(0).random((300, 200)) < 0.3
    assert shown(kernel) == shown(kernel)


def test_the_legend_has_all_that_is_seen() -> None:
    meanings = [meaning for _, meaning in patterns.legend()]
    assert (
        meanings[0] == "all zero" and "all kept" in meanings and "removed with its unit" in meanings
    )
