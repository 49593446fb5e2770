"""Pruning to a budget, in a training loop of one's own."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras

from tinyprune.api.calibration import Calibration, calibration_inputs
from tinyprune.api.trainable import CompressedModel, trainable
from tinyprune.artifacts.budget import BudgetRecord
from tinyprune.artifacts.resources import NpuTarget
from tinyprune.budget.training import BudgetCompression, BudgetSettings
from tinyprune.budget.vela_loop import VelaLoop
from tinyprune.compress.coupling import coupling
from tinyprune.compress.fold import fold
from tinyprune.compress.planning import plan
from tinyprune.compress.prepare import batches, strip
from tinyprune.config import BudgetConfig, MagnitudePruning, check
from tinyprune.errors import UsageError
from tinyprune.npu import targets
from tinyprune.npu.limits import budget_limits
from tinyprune.sparsity.unit_sets import removable


class BudgetPruner:
    """Gates on the units of a Keras network, closed by what the network may take.

    ::

        pruner = tinyprune.BudgetPruner(model, max_flash="64KiB", max_macs="2M")
        gated = pruner.prepare(calibration, steps=400, batch_size=32)
        gated.compile("adam", "sparse_categorical_crossentropy")
        gated.fit(x, y, batch_size=32, epochs=4, callbacks=[pruner.callback()])
        network = pruner.shrink()
        network.compile("adam", "sparse_categorical_crossentropy")
        network.fit(x, y, epochs=6)
        small = pruner.finalize()

    A network cannot change its size inside a ``fit``, so there are two: one with gates, in float,
    and one without the units that the budget closed, in int8. After Liberis and Lane 2021
    (arXiv 2110.08350).

    Attributes:
        model: the canonical form of the network that is pruned (BatchNorm folded).
        plan: the kernels whose units may go, and why others stay.
        target: the accelerator whose costs are limited; None: the network's own.
    """

    def __init__(
        self,
        model: keras.Model,
        *,
        max_flash: str | None = None,
        max_sram: str | None = None,
        max_macs: str | int | None = None,
        max_cycles: str | int | None = None,
        max_latency: str | None = None,
        npu: str | None = None,
        system_config: str | None = None,
        memory_mode: str | None = None,
        exclude: Sequence[str] = (),
        round_to: int = 8,
    ) -> None:
        """Plan the pruning of a trained network; the network itself is not touched.

        Args:
            model: functional or Sequential Keras model, built.
            max_flash, max_sram: sizes with their unit, e.g. "64KiB".
            max_macs: multiply-accumulates of one inference, e.g. "2M".
            max_cycles: cycles of one inference, e.g. "200k"; needs ``npu``.
            max_latency: time of one inference, e.g. "5ms"; needs ``npu``.
            npu: accelerator or own target; None: flash, SRAM and MACs are those of the network.
            system_config, memory_mode: None: the accelerator's default.
            exclude: patterns of layers whose units stay.
            round_to: units that are left are a multiple of it.

        Raises:
            UsageError: no limit, a value that makes no sense, or no unit that may go.
        """
        texts = {
            "max_flash": max_flash,
            "max_sram": max_sram,
            "max_macs": max_macs,
            "max_cycles": max_cycles,
            "max_latency": max_latency,
        }
        limits = {name: str(text) for name, text in texts.items() if text is not None}
        budget = BudgetConfig(**limits)  # type: ignore[arg-type]
        self.target: NpuTarget | None = None
        if npu is not None:
            self.target = targets.resolve(npu, system_config, memory_mode)
        elif max_cycles is not None or max_latency is not None:
            raise UsageError("max_cycles and max_latency are those of an accelerator: give npu")
        if budget == BudgetConfig():
            raise UsageError("expected a limit: max_flash, max_sram, max_macs, or more with npu")

        self._limits = budget_limits(budget.resolved())
        config = MagnitudePruning(structure="unit", exclude=tuple(exclude), round_to=round_to)
        check(config)
        self.model = fold(model)
        self.plan = plan(self.model, config)
        self._gating: BudgetCompression | None = None
        self._vela: VelaLoop | None = None
        self._is_shrunk = False

    def prepare(
        self, calibration: Calibration, steps: int, batch_size: int, frames: int | None = None
    ) -> keras.Model:
        """Return the network with gates, to train in float.

        Args:
            calibration: inputs (n, ...) of real data; of sequences, consecutive frames; of a
                network with several inputs, a dict of them by name.
            steps: optimizer steps of the training of the gates.
            batch_size: examples in each.
            frames: 1 for a network of sequences that runs frame by frame, else None.

        Raises:
            UsageError: the budget cannot be kept; the message has the least that can be reached.
        """
        inputs = calibration_inputs(calibration)
        keys = [layer.key for layer in self.plan.layers]
        settings = BudgetSettings(
            limits=self._limits,
            round_to=self.plan.round_to,
            removable=removable(coupling(self.model), keys),
            gate_epochs=1,
            measure_every=1,
            steps_per_epoch=steps,
            batch_size=batch_size,
            frames=frames,
            calibration_batches=lambda network: batches(inputs, network),
        )
        if self.target is not None:
            folder = Path(tempfile.mkdtemp(prefix="tinyprune-"))
            self._vela = VelaLoop(self.target, frames, inputs, folder)
        self._gating = BudgetCompression(self.model, settings, self._vela)
        self._is_shrunk = self._gating.is_met
        return self._trainable(self._gating)

    def callback(self) -> keras.callbacks.Callback:
        """Return what ``fit`` needs in its ``callbacks`` while the gates learn."""
        return _GateSchedule(self._prepared())

    def shrink(self) -> keras.Model:
        """Return the network without the units whose gates are closed, on int8 grids, to train.

        With an accelerator, Vela compiles it until its whole numbers of units keep the budget.

        Raises:
            CheckFailed: no whole numbers of units keep the budget.
        """
        gating = self._prepared()
        if not self._is_shrunk:
            gating.after_epoch(1)
            self._is_shrunk = True
        if self._vela is not None:
            self._vela.close()
        return self._trainable(gating)

    def finalize(self) -> keras.Model:
        """Return the plain network with int8 values in its kernels.

        Raises UsageError before :meth:`shrink`.
        """
        gating = self._prepared()
        if not self._is_shrunk:
            raise UsageError(
                "closed units are still in the network: call shrink(), train, finalize"
            )
        return strip(gating.prepared, gating.template)

    @property
    def record(self) -> BudgetRecord:
        """Return the limits, what the network takes of them, and the units that are left."""
        return self._prepared().record()

    def _prepared(self) -> BudgetCompression:
        if self._gating is None:
            raise UsageError(
                "there is no network to train yet: call prepare(calibration, ...) first"
            )
        return self._gating

    def _trainable(self, gating: BudgetCompression) -> CompressedModel:
        network = trainable(gating.prepared)
        network.compression = gating
        return network


class _GateSchedule(keras.callbacks.Callback):
    """Ranks and cools the gates before every batch, and gives the penalty the size of the loss."""

    def __init__(self, gating: BudgetCompression) -> None:
        super().__init__()
        self._gating = gating
        self._step = 0

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Refresh the penalty."""
        self._gating.before_step(self._step)
        self._step += 1

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Take the loss."""
        self._gating.after_step(float(logs["loss"]))
