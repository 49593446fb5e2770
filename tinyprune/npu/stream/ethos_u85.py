"""Operations of Ethos-U85, read off their registers.

It has the operations of Ethos-U55 with other scales of operands, and more: an operation may hand
its result to the next without memory (a chain), and write it with its axes in another order.
"""

from dataclasses import replace

import numpy as np

from tinyprune.npu.stream.activations import Function
from tinyprune.npu.stream.convolution import Constants, Convolution, scale_bytes
from tinyprune.npu.stream.elementwise import Elementwise, ElementwiseMode, Operand
from tinyprune.npu.stream.ethos_u55 import OperationSettings
from tinyprune.npu.stream.memory import FeatureMap
from tinyprune.npu.stream.order_u85 import KernelOrderU85
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
from tinyprune.npu.stream.weights import RecordFormat
from tinyprune.npu.stream.windows import Kernel

_ROUNDINGS = {0: Rounding.DOUBLE, 1: Rounding.NATURAL}
_IN_TILES, _CHAINED, _NOWHERE = 0, 2, 3
#: Code of the order of axes -> axes of the result as they are written.
_AXES = {0: (0, 1, 2), 1: (1, 0, 2), 2: (0, 2, 1), 3: (1, 2, 0), 6: (2, 0, 1)}
#: Code of the activation -> its function, and whether places in its table have 16 bit.
_FUNCTIONS = {
    0: (Function.NONE, False),
    1: (Function.TABLE, False),
    4: (Function.TABLE, False),
    5: (Function.TABLE, False),
    7: (Function.TABLE, False),
    8: (Function.TABLE, True),
    10: (Function.TANH, True),
    11: (Function.SIGMOID, True),
}
#: Code of the shape of what is computed at once -> its elements per channel.
_MICROBLOCKS = {0: 1, 1: 2, 2: 4, 3: 4, 4: 8, 5: 16}
_MACS_PER_OUTPUT = 8


class EthosU85:
    """The reading of registers for one stream."""

    def __init__(self, stream: CommandStream) -> None:
        self._macs = stream.macs
        self._cores = stream.cores

    def settings(self, operation: str, parameter: int, registers: Registers) -> OperationSettings:
        """Return what an operation does. Raises Unsupported for one that is not known."""
        if operation == "DMA_START":
            return transfer_of(registers)
        _check_accumulators(registers)
        if operation == "POOL":
            return _pooling(parameter, registers)
        if operation == "ELEMENTWISE":
            return _elementwise(parameter, registers)
        if operation in ("CONV", "DEPTHWISE"):
            if parameter:
                return _product(operation, parameter, registers)
            return self._convolution(operation == "DEPTHWISE", registers)
        raise Unsupported(f"the operation {operation}")

    def _convolution(self, is_depthwise: bool, registers: Registers) -> Convolution:
        if registers.bits("WEIGHT_FORMAT", 0, 4):
            raise Unsupported("weights of Ethos-U85 in the fast format")
        kernel = kernel_of(registers)
        output = _output(registers)
        height, width, outputs = output.shape
        inputs = outputs if is_depthwise else registers.size("IFM_DEPTH")
        rows, columns = kernel.input_size(height, width)
        source = _input("IFM", registers, (rows, columns, inputs))
        is_wide = registers.bits("ACC_FORMAT", 0, 2)
        weights = [constants_of("WEIGHT", core, registers) for core in range(self._cores)]
        scales = Constants(
            region=registers.bits("SCALE_REGION", 0, 3),
            start=registers.bits("SCALE_BASE", 0, 48),
            length=scale_bytes(outputs),
        )
        return Convolution(
            input=source,
            kernel=kernel,
            order=self._order(is_depthwise, kernel, source, outputs, registers),
            weights=tuple(weights),
            scales=(scales,),
            record=RecordFormat.U85_WIDE if is_wide else RecordFormat.U85,
            output=output,
            block=block_of(registers),
        )

    def _order(
        self,
        is_depthwise: bool,
        kernel: Kernel,
        source: FeatureMap,
        outputs: int,
        registers: Registers,
    ) -> KernelOrderU85:
        microblock = registers.bits("ACC_FORMAT", 8, 3)
        return KernelOrderU85(
            outputs=outputs,
            height=kernel.height,
            width=kernel.width,
            inputs=1 if is_depthwise else source.shape[2],
            is_depthwise=is_depthwise,
            is_part_kernel=bool(registers.bits("KERNEL_STRIDE", 2, 1)),
            is_sparse=bool(registers.bits("WEIGHT_FORMAT", 4, 1)),
            input_bits=8 * source.dtype.itemsize,
            block_depth=registers.size("OFM_BLK_DEPTH"),
            stride_y=kernel.stride_y,
            stride_x=kernel.stride_x,
            dilation_y=kernel.dilation_y,
            dilation_x=kernel.dilation_x,
            output_group=self._macs // _MACS_PER_OUTPUT // _MICROBLOCKS[microblock],
            macs=self._macs,
            cores=self._cores,
        )


def _check_accumulators(registers: Registers) -> None:
    """Raise Unsupported for sums that do not begin at zero, or are not written."""
    if registers.bits("ACC_FORMAT", 4, 2) or registers.bits("ACC_FORMAT", 6, 2):
        raise Unsupported("sums of Ethos-U85 that go on from one operation to the next")


def _input(name: str, registers: Registers, shape: tuple[int, int, int]) -> FeatureMap:
    """Return the feature map IFM or IFM2."""
    precision = f"{name}_PRECISION"
    dtype = dtype_of(registers.bits(precision, 0, 1), registers.bits(precision, 2, 2))
    is_bricked = bool(registers.bits(precision, 6, 2))
    is_chained = registers.bits(precision, 14, 2) == _CHAINED
    return feature_map(name, registers, dtype, is_bricked, shape, is_chained)


def _output(registers: Registers) -> OutputStage:
    precision = "OFM_PRECISION"
    dtype = dtype_of(registers.bits(precision, 0, 1), registers.bits(precision, 1, 2))
    axes = registers.bits(precision, 11, 3)
    if axes not in _AXES or registers.bits(precision, 9, 2):
        raise Unsupported("results of Ethos-U85 with their axes in this order")
    code = registers.bits("ACTIVATION", 0, 5)
    if code not in _FUNCTIONS:
        raise Unsupported(f"the activation {code} of Ethos-U85")
    function, has_wide_places = _FUNCTIONS[code]
    sizes = registers.size("OFM_HEIGHT"), registers.size("OFM_WIDTH"), registers.size("OFM_DEPTH")
    first, second, third = _AXES[axes]
    written = sizes[first], sizes[second], sizes[third]
    is_bricked = bool(registers.bits(precision, 6, 2))
    is_chained = registers.bits(precision, 14, 2) == _CHAINED
    has_one_scale = bool(registers.bits(precision, 8, 1))
    has_no_range = bool(registers.bits("ACTIVATION", 12, 1))
    lowest, highest = range_of(registers, dtype, has_no_range)
    return OutputStage(
        feature_map=feature_map("OFM", registers, dtype, is_bricked, written, is_chained),
        scale=registers.bits("OFM_SCALE", 0, 32) if has_one_scale else None,
        shift=registers.bits("OFM_SCALE", 32, 6) if has_one_scale else 0,
        rounding=_rounding(registers, "OFM_SCALE"),
        function=function,
        table=registers.bits("ACTIVATION", 5, 3) * dtype.itemsize,
        first_place=-128 if np.issubdtype(dtype, np.signedinteger) else 0,
        has_wide_places=has_wide_places,
        lowest=lowest,
        highest=highest,
        axes=_AXES[axes],
        has_own_table=True,
    )


def _rounding(registers: Registers, name: str) -> Rounding:
    code = registers.bits(name, 45, 3)
    if code not in _ROUNDINGS:
        raise Unsupported(f"the rounding {code} of Ethos-U85")
    return _ROUNDINGS[code]


def _product(operation: str, parameter: int, registers: Registers) -> Product:
    kernel = kernel_of(registers)
    output = _output(registers)
    if operation != "CONV" or parameter != 1 or not kernel.is_point or output.scale is None:
        raise Unsupported("a product of two feature maps of this form")
    height, width, outputs = output.shape
    channels = registers.size("IFM_DEPTH")
    return Product(
        _input("IFM", registers, (height, width, channels)),
        _input("IFM2", registers, (1, outputs, channels)),
        output,
    )


def _pooling(parameter: int, registers: Registers) -> Pooling:
    if parameter >= len(PoolingMode):
        raise Unsupported(f"the pooling {parameter} of Ethos-U85")
    mode = PoolingMode(parameter)
    kernel = kernel_of(registers)
    output = _output(registers)
    height, width, channels = output.shape
    if mode is PoolingMode.SUM_OF_CHANNELS:
        channels = registers.size("IFM_DEPTH")
    rows, columns = kernel.input_size(height, width)
    source = _input("IFM", registers, (rows, columns, channels))
    if output.scale is None:
        raise Unsupported("a pooling with a scale for each channel")
    return Pooling(mode, source, kernel, mode is PoolingMode.AVERAGE, output)


def _elementwise(parameter: int, registers: Registers) -> Elementwise:
    if parameter >= len(ElementwiseMode):
        raise Unsupported(f"the elementwise operation {parameter} of Ethos-U85")
    mode = ElementwiseMode(parameter)
    output = _output(registers)
    first = _operand("IFM", registers, output.shape)
    second = None
    if mode is ElementwiseMode.LRELU:
        second = _scaled("IFM2", registers, first)
    elif not mode.is_unary:
        second = _operand("IFM2", registers, output.shape)
    if mode is ElementwiseMode.MUL and registers.bits("IFM_PRECISION", 2, 2) == 2:
        output = replace(output, scale=1)  # products of 32 bit are shifted only
    return Elementwise(mode, first, second, output)


def _operand(name: str, registers: Registers, shape: tuple[int, int, int]) -> Operand:
    """Return IFM or IFM2: a number, or a feature map that may be repeated along its axes."""
    source = None
    scalar = 0
    if registers.bits(f"{name}_PRECISION", 14, 2) == _NOWHERE:
        scalar = registers.signed("OP_SCALAR", 32) - registers.signed(f"{name}_ZERO_POINT", 16)
    else:
        sizes = list(shape)
        for axis in range(3):
            if registers.bits(f"{name}_BROADCAST", axis, 1):
                sizes[axis] = 1
        source = _input(name, registers, (sizes[0], sizes[1], sizes[2]))
    return _scaled(name, registers, Operand(source, scalar))


def _scaled(name: str, registers: Registers, operand: Operand) -> Operand:
    """Return an operand with the scale of IFM or IFM2."""
    left = registers.bits(f"{name}_SCALE", 38, 5)
    return replace(
        operand,
        left=left,
        scale=registers.bits(f"{name}_SCALE", 0, 32),
        shift=registers.bits(f"{name}_SCALE", 32, 6) + left,
        rounding=_rounding(registers, f"{name}_SCALE"),
    )
