"""Limits that a training can follow: a model of each, its gradient, a correction by Vela."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tinyprune.array_types import Float64Array
from tinyprune.artifacts.resources import NpuTarget
from tinyprune.compress.arrays import tensors
from tinyprune.compress.compiled import compiled
from tinyprune.errors import UsageError
from tinyprune.npu.cost_model import CostModel
from tinyprune.npu.limits import Limit, exceeded
from tinyprune.sparsity.network_shape import NetworkShape
from tinyprune.sparsity.resource_model import NUMPY, Arrays, ResourceModel

SMOOTH = 0.02  # of the peak: how far the smooth maximum of SRAM looks


class ModelledLimits:
    """The limits of one network shape.

    Attributes:
        limits: the budget.
        shape: of the network.
        corrections: (limits,), measured over modelled, of the last compilation; 1 where nothing is
            compiled.
    """

    def __init__(
        self,
        limits: Sequence[Limit],
        shape: NetworkShape,
        target: NpuTarget | None = None,
        clock_hz: float = 1.0,
        corrections: Float64Array | None = None,
    ) -> None:
        """Model the limits.

        Without a target they are bytes of weights and biases, peak of the feature maps, and MACs;
        with one they are what Vela would say.
        """
        self.limits = tuple(limits)
        self.shape = shape
        self._target = target
        self._clock_hz = clock_hz
        self.corrections = np.ones(len(self.limits)) if corrections is None else corrections
        self._exact = self._functions(NUMPY)
        peak = float(ResourceModel(shape).peak_bytes(shape.whole))
        self._smooth = self._functions(tensors(max(1.0, SMOOTH * peak)))
        self._compiled = compiled(self._penalty_gradient)

    def values(self, kept: npt.NDArray) -> Float64Array:
        """Return the usage with ``kept`` (sets,) units, (limits,), corrected."""
        counts = np.asarray(kept, np.float64)
        return np.array([float(function(counts)) for function in self._exact]) * self.corrections

    def ratios(self, kept: npt.NDArray) -> Float64Array:
        """Return the same over what is allowed: above 1 is over the limit."""
        return self.values(kept) / np.array([limit.most for limit in self.limits])

    def penalty_gradient(
        self, kept: npt.NDArray, strengths: Float64Array, allowed: Float64Array
    ) -> tuple[Float64Array, Float64Array]:
        """Differentiate the penalty ``sum strengths * max(0, log(value / allowed))``.

        Args:
            kept: (sets,), real numbers.
            strengths, allowed: (limits,).

        Returns the values (limits,), corrected, and the gradient of the penalty by ``kept``,
        (sets,).
        """
        arrays = (kept, strengths, allowed, self.corrections)
        arguments = [tf.constant(np.asarray(array, np.float64)) for array in arrays]
        values, gradient = self._compiled(*arguments)
        return values.numpy(), gradient.numpy()

    def check_reachable(self, least: Float64Array, round_to: int, has_heads: bool = False) -> None:
        """Raise UsageError, with the least that can be reached, for limits that no pruning keeps.

        Args:
            least: (limits,), usage of the smallest network.
            round_to: as many units stay of each set at least, or all of a smaller one.
            has_heads: whether there are heads of attention, of which one stays at least.
        """
        tensor_bytes = ResourceModel(self.shape).tensor_bytes(self.shape.whole)
        input_bytes = float(tensor_bytes[list(self.shape.inputs)].sum())
        for limit, value in exceeded(self.limits, least):
            most = limit.show(limit.most)
            if limit.name == "SRAM" and limit.most < input_bytes:
                raise UsageError(
                    f"SRAM: a budget of {most} is less than the network's own input of "
                    f"{limit.show(input_bytes)}, which no pruning makes smaller: ask for more"
                )
            units = "units"
            if round_to == 1:
                units = "unit"
            if has_heads:
                units += " or a head"
            raise UsageError(
                f"{limit.name}: a budget of {most} cannot be met: with {round_to} {units} left of "
                f"every layer the network takes {limit.show(value)}; ask for that or more, or "
                "choose a smaller --round-to or network"
            )

    def _penalty_gradient(
        self, kept: Any, strengths: Any, allowed: Any, corrections: Any
    ) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(kept)
            values = (
                tf.stack([tf.cast(function(kept), tf.float64) for function in self._smooth])
                * corrections
            )
            penalty = tf.reduce_sum(strengths * tf.nn.relu(tf.math.log(values / allowed)))
        gradient = tape.gradient(penalty, kept, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        return values, gradient

    def _functions(self, arrays: Arrays) -> list[Callable[[Any], Any]]:
        functions = self._npu_functions(arrays) if self._target else self._network_functions(arrays)
        return [functions[limit.name] for limit in self.limits]

    def _network_functions(self, arrays: Arrays) -> Mapping[str, Callable[[Any], Any]]:
        model = ResourceModel(self.shape, arrays)
        return {"flash": model.size_bytes, "SRAM": model.peak_bytes, "MACs": model.macs}

    def _npu_functions(self, arrays: Arrays) -> Mapping[str, Callable[[Any], Any]]:
        assert self._target is not None
        model = CostModel(self.shape, self._target, arrays)
        return {
            "flash": model.flash_bytes,
            "SRAM": model.sram_bytes,
            "MACs": model.macs,
            "cycles": model.cycles,
            "latency": lambda kept: model.cycles(kept) / self._clock_hz,
        }
