"""Operations of Ethos-U55 and U65, read off their registers."""

from dataclasses import replace

import numpy as np

from tinyprune.npu.stream.activations import Function
from tinyprune.npu.stream.convolution import Constants, Convolution, scale_bytes
from tinyprune.npu.stream.elementwise import Elementwise, ElementwiseMode, Operand
from tinyprune.npu.stream.memory import LUT_BYTES, FeatureMap
from tinyprune.npu.stream.order_u55 import KernelOrder
from tinyprune.npu.stream.output import OutputStage
from tinyprune.npu.stream.payload import CommandStream
from tinyprune.npu.stream.pooling import Pooling, PoolingMode
from tinyprune.npu.stream.product import Product
from tinyprune.npu.stream.reading import (
    block_of,
    constants_of,
    dtype_of,
    feature_map,
    kernel_of,
    range_of,
    transfer_of,
)
from tinyprune.npu.stream.registers import Registers, Unsupported
from tinyprune.npu.stream.rescaling import Rounding
from tinyprune.npu.stream.transfer import Transfer
from tinyprune.npu.stream.weights import RecordFormat

_FUNCTIONS = {0: Function.NONE, 3: Function.TANH, 4: Function.SIGMOID}
_FIRST_TABLE, _LAST_TABLE = 16, 23
_FORCED_RANGES = {2: (0, 255), 3: (-128, 127)}
_INPUT_GROUP = 8
_OUTPUT_GROUPS = {"ethos-u55-32": 4}
# Of the two operands of a sum with different scales, one is rescaled and the other shifted left.
_LEFT_SHIFTS = {1: 19, 2: 14}  # by bytes of an element

OperationSettings = Convolution | Product | Pooling | Elementwise | Transfer


class EthosU55:
    """The reading of registers for one stream."""

    def __init__(self, stream: CommandStream) -> None:
        self._cores = stream.cores
        self._tables_start = stream.buffer_bytes - LUT_BYTES
        self._output_group = _OUTPUT_GROUPS.get(stream.npu, 8)

    def settings(self, operation: str, parameter: int, registers: Registers) -> OperationSettings:
        """Return what an operation does. Raises Unsupported for one that is not known."""
        if operation == "DMA_START":
            return self._transfer(registers)
        if operation == "POOL":
            return _pooling(parameter, registers)
        if operation == "ELEMENTWISE":
            return _elementwise(parameter, registers)
        if operation in ("CONV", "DEPTHWISE"):
            return self._convolution(operation == "DEPTHWISE", registers)
        raise Unsupported(f"the operation {operation}")

    def _convolution(self, is_depthwise: bool, registers: Registers) -> Convolution:
        kernel = kernel_of(registers)
        output = _output(registers)
        height, width, outputs = output.shape
        rows, columns = kernel.input_size(height, width)
        inputs = outputs if is_depthwise else registers.size("IFM_DEPTH")
        source = _input("IFM", registers, (rows, columns, inputs))
        cores = min(self._cores, outputs)
        order = KernelOrder(
            outputs=outputs,
            height=kernel.height,
            width=kernel.width,
            inputs=1 if is_depthwise else inputs,
            is_depthwise=is_depthwise,
            is_part_kernel=bool(registers.bits("KERNEL_STRIDE", 2, 1)),
            input_bits=8 * source.dtype.itemsize,
            block_depth=registers.size("OFM_BLK_DEPTH"),
            dilation_y=kernel.dilation_y,
            dilation_x=kernel.dilation_x,
            input_group=_INPUT_GROUP,
            output_group=self._output_group,
            cores=cores,
        )
        weights = [constants_of("WEIGHT", core, registers) for core in range(cores)]
        scales = []
        for core in range(cores):
            part = constants_of("SCALE", core, registers)
            length = scale_bytes(len(range(core, outputs, cores)))
            scales.append(Constants(part.region, part.start, length))
        return Convolution(
            input=source,
            kernel=kernel,
            order=order,
            weights=tuple(weights),
            scales=tuple(scales),
            record=RecordFormat.U55,
            output=output,
            block=block_of(registers),
        )

    def _transfer(self, registers: Registers) -> Transfer:
        transfer = transfer_of(registers)
        if not transfer.is_to_tables:
            return transfer
        return replace(transfer, target=transfer.target - self._tables_start)


def _input(name: str, registers: Registers, shape: tuple[int, int, int]) -> FeatureMap:
    """Return the feature map IFM or IFM2."""
    precision = f"{name}_PRECISION"
    dtype = dtype_of(registers.bits(precision, 0, 1), registers.bits(precision, 2, 2))
    is_bricked = bool(registers.bits(precision, 6, 2))
    return feature_map(name, registers, dtype, is_bricked, shape)


def _output(registers: Registers) -> OutputStage:
    precision = "OFM_PRECISION"
    dtype = dtype_of(registers.bits(precision, 0, 1), registers.bits(precision, 1, 2))
    shape = registers.size("OFM_HEIGHT"), registers.size("OFM_WIDTH"), registers.size("OFM_DEPTH")
    is_bricked = bool(registers.bits(precision, 6, 2))
    ofm = feature_map("OFM", registers, dtype, is_bricked, shape)
    has_one_scale = bool(registers.bits(precision, 8, 1))
    code = registers.bits("ACTIVATION", 0, 12)
    is_table = _FIRST_TABLE <= code <= _LAST_TABLE
    if not is_table and code not in _FUNCTIONS:
        raise Unsupported(f"the activation {code}")
    lowest, highest = _range(registers, dtype, is_table)
    return OutputStage(
        feature_map=ofm,
        scale=registers.bits("OFM_SCALE", 0, 32) if has_one_scale else None,
        shift=registers.bits("OFM_SCALE", 32, 6) if has_one_scale else 0,
        rounding=Rounding(registers.bits(precision, 14, 2)),
        function=Function.TABLE if is_table else _FUNCTIONS[code],
        table=code - _FIRST_TABLE if is_table else 0,
        first_place=_first_place(registers, dtype),
        has_wide_places=dtype.itemsize == 2,
        lowest=lowest,
        highest=highest,
    )


def _range(registers: Registers, dtype: np.dtype, is_table: bool) -> tuple[int, int]:
    """Return the smallest and the largest result."""
    forced = registers.bits("ACTIVATION", 12, 3)
    if forced:
        if forced not in _FORCED_RANGES:
            raise Unsupported(f"the range {forced} of an activation")
        return _FORCED_RANGES[forced]
    return range_of(registers, dtype, is_off=dtype.itemsize == 4)


def _first_place(registers: Registers, dtype: np.dtype) -> int:
    """Return the number whose entry is the first in a lookup table of 256."""
    forced = registers.bits("ACTIVATION", 12, 3)
    if forced:
        return _FORCED_RANGES[forced][0]
    return -128 if np.issubdtype(dtype, np.signedinteger) else 0


def _pooling(parameter: int, registers: Registers) -> Pooling:
    kernel = kernel_of(registers)
    mode = PoolingMode(parameter)
    output = _output(registers)
    height, width, channels = output.shape
    if mode is PoolingMode.SUM_OF_CHANNELS:
        channels = registers.size("IFM_DEPTH")
    rows, columns = kernel.input_size(height, width)
    source = _input("IFM", registers, (rows, columns, channels))
    divides = mode is PoolingMode.AVERAGE and kernel.is_padded
    if not divides and output.scale is None:
        raise Unsupported("a pooling with a scale for each channel")
    return Pooling(mode, source, kernel, divides, output)


def _elementwise(parameter: int, registers: Registers) -> Elementwise:
    mode = ElementwiseMode(parameter)
    output = _elementwise_output(mode, registers)
    shape = output.shape
    first = Operand(_input("IFM", registers, shape))
    if mode.is_unary:
        return Elementwise(mode, first, None, output)
    if mode is ElementwiseMode.LRELU:
        scale = output.scale or 0
        negative = replace(first, scale=scale, shift=output.shift, rounding=output.rounding)
        return Elementwise(mode, first, negative, replace(output, scale=1, shift=0))
    second = _second_operand(registers, shape)
    if registers.bits("IFM2_BROADCAST", 6, 1):
        first, second = second, first
    if mode in (ElementwiseMode.ADD, ElementwiseMode.SUB):
        first, second = _scaled(first, second, registers)
    return Elementwise(mode, first, second, output)


def _elementwise_output(mode: ElementwiseMode, registers: Registers) -> OutputStage:
    """Return the output stage, which scales by OFM_SCALE whatever OFM_PRECISION says of it."""
    stage = _output(registers)
    scale, shift = registers.bits("OFM_SCALE", 0, 32), registers.bits("OFM_SCALE", 32, 6)
    if mode in (ElementwiseMode.SHR, ElementwiseMode.SHL):
        scale, shift = 1, 0
    is_wide = registers.bits("IFM_PRECISION", 2, 2) == 2
    if mode is ElementwiseMode.MUL and is_wide:
        scale = 1  # products of 32 bit are shifted only
    return replace(stage, scale=scale, shift=shift)


def _second_operand(registers: Registers, shape: tuple[int, int, int]) -> Operand:
    """Return IFM2: a number, or a feature map that may be repeated along its axes."""
    is_scalar = registers.bits("IFM2_BROADCAST", 7, 1)
    if is_scalar:
        scalar = registers.signed("IFM2_SCALAR", 16) - registers.signed("IFM2_ZERO_POINT", 16)
        return Operand(None, scalar)
    sizes = list(shape)
    for axis in range(3):
        if registers.bits("IFM2_BROADCAST", axis, 1):
            sizes[axis] = 1
    return Operand(_input("IFM2", registers, (sizes[0], sizes[1], sizes[2])))


def _scaled(first: Operand, second: Operand, registers: Registers) -> tuple[Operand, Operand]:
    """Return the operands of a sum, in the order of the computation, with their scales."""
    which = registers.bits("IFM_PRECISION", 8, 2)
    if which == 0:
        return (
            replace(first, scale=registers.bits("OPA_SCALE", 0, 16)),
            replace(second, scale=registers.bits("OPB_SCALE", 0, 16)),
        )
    source = first.feature_map or second.feature_map
    if source is None or source.dtype.itemsize not in _LEFT_SHIFTS:
        raise Unsupported("a sum of numbers of 32 bit with different scales")
    left = _LEFT_SHIFTS[source.dtype.itemsize]
    scale, shift = registers.bits("OPA_SCALE", 0, 32), registers.bits("OPA_SCALE", 32, 6)
    if which == 1:
        return replace(first, scale=scale, shift=shift), replace(second, left=left)
    return replace(first, left=left), replace(second, scale=scale, shift=shift)
