"""What a network may take, as numbers that a training can follow: of each limit a model, its gradient, a correction."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tinyprune.array_types import Float64Array
from tinyprune.artifacts.resources import NpuTarget
from tinyprune.compress.arrays import tensors
from tinyprune.errors import UsageError
from tinyprune.npu.cost_model import CostModel
from tinyprune.npu.limits import Limit, exceeded
from tinyprune.sparsity.network_shape import NetworkShape
from tinyprune.sparsity.resource_model import NUMPY, Arrays, ResourceModel

SMOOTH = 0.02  # of the peak: how far the smooth maximum of SRAM looks


class Limits:
    """The limits of one network shape.

    Attributes:
        limits: what is limited. shape: of the network.
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
        """Without a target: bytes of weights and biases, peak of the feature maps, MACs; else what Vela would say."""
        self.limits, self.shape, self._target, self._clock_hz = (
            tuple(limits),
            shape,
            target,
            clock_hz,
        )
        self.corrections = np.ones(len(self.limits)) if corrections is None else corrections
        self._exact = self._functions(NUMPY)
        peak = float(ResourceModel(shape).peak_bytes(shape.whole))
        self._smooth = self._functions(tensors(max(1.0, SMOOTH * peak)))
        self._compiled = tf.function(self._pull, reduce_retracing=True)

    def values(self, kept: npt.NDArray) -> Float64Array:
        """What a network with ``kept`` (sets,) units takes of each, (limits,), corrected."""
        counts = np.asarray(kept, np.float64)
        return np.array([float(function(counts)) for function in self._exact]) * self.corrections

    def ratios(self, kept: npt.NDArray) -> Float64Array:
        """The same over what is allowed: above 1 is over the limit."""
        return self.values(kept) / np.array([limit.most for limit in self.limits])

    def pull(
        self, kept: npt.NDArray, strengths: Float64Array, allowed: Float64Array
    ) -> tuple[Float64Array, Float64Array]:
        """Where the penalty ``sum strengths * max(0, log(value / allowed))`` pushes the kept units.

        Args:
            kept: (sets,), real numbers. strengths, allowed: (limits,).

        Returns the values (limits,), corrected, and the gradient of the penalty by ``kept``,
        (sets,).
        """
        arguments = (
            np.asarray(one, np.float64) for one in (kept, strengths, allowed, self.corrections)
        )
        values, gradient = self._compiled(*(tf.constant(one) for one in arguments))
        return values.numpy(), gradient.numpy()

    def check_reachable(self, least: Float64Array, step: int) -> None:
        """Raise UsageError, with the least that can be reached, for limits that no pruning can keep.

        Args:
            least: (limits,), what the smallest network takes.
            step: as many units stay of each set at least, or all of a smaller one.
        """
        own = float(
            ResourceModel(self.shape).tensor_bytes(self.shape.whole)[list(self.shape.inputs)].sum()
        )
        for limit, value in exceeded(self.limits, least):
            if limit.name == "SRAM" and limit.most < own:
                why = f"is less than the network's own input of {limit.show(own)}, which no pruning makes smaller"
                raise UsageError(f"SRAM: a budget of {limit.show(limit.most)} {why}: ask for more")
            fewest = f"with {step} unit{'s' if step > 1 else ''} left of every layer"
            raise UsageError(
                f"{limit.name}: a budget of {limit.show(limit.most)} cannot be met: {fewest} the network takes "
                f"{limit.show(value)}; ask for that or more, or choose a smaller --round-to or network"
            )

    def _pull(
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
        found = self._of_npu(arrays) if self._target else self._of_network(arrays)
        return [found[limit.name] for limit in self.limits]

    def _of_network(self, arrays: Arrays) -> Mapping[str, Callable[[Any], Any]]:
        model = ResourceModel(self.shape, arrays)
        return {"flash": model.size_bytes, "SRAM": model.peak_bytes, "MACs": model.macs}

    def _of_npu(self, arrays: Arrays) -> Mapping[str, Callable[[Any], Any]]:
        assert self._target is not None
        model = CostModel(self.shape, self._target, arrays)
        return {
            "flash": model.flash_bytes,
            "SRAM": model.sram_bytes,
            "MACs": model.macs,
            "cycles": model.cycles,
            "latency": lambda kept: model.cycles(kept) / self._clock_hz,
        }
