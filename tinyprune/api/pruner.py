"""Pruning jointly with int8 learning, in a training loop of one's own."""

from collections.abc import Mapping, Sequence

import keras
import numpy as np

from tinyprune.api.calibration import Calibration, calibration_inputs
from tinyprune.api.trainable import CompressedModel, trainable
from tinyprune.compress.fold import fold
from tinyprune.compress.mask_updater import MaskUpdater
from tinyprune.compress.planning import plan
from tinyprune.config import MagnitudePruning, check
from tinyprune.config.pruning import DEFAULT_IMPORTANCE
from tinyprune.errors import UsageError
from tinyprune.training.compression import ScheduledMasks
from tinyprune.training.masked_network import MaskedNetwork, PrunedNetwork


class Pruner:
    """Masks on a schedule and int8 grids in a Keras network that is trained elsewhere.

    ::

        pruner = tinyprune.Pruner(model, structure="block", sparsity=0.8)
        network = pruner.prepare(calibration)
        network.compile("adam", "sparse_categorical_crossentropy")
        network.fit(x, y, epochs=10, callbacks=[pruner.callback()])
        small = pruner.finalize()

    The masks and the int8 grid act together from the first step:
    ``effective = fake_quant(mask * kernel)``.

    Attributes:
        model: the canonical form of the network that is pruned (BatchNorm folded).
        plan: the structure, the groups and the final sparsity of every kernel, and why others stay.
    """

    def __init__(
        self,
        model: keras.Model,
        structure: str = "weight",
        sparsity: float | None = None,
        *,
        block_size: str | None = None,
        importance: str | None = None,
        floor: float | None = None,
        scope: str = "global",
        schedule: str = "polynomial",
        begin: float = 0.0,
        end: float = 0.5,
        exclude: Sequence[str] = (),
        round_to: int = 8,
    ) -> None:
        """Plan the pruning of a trained network; the network itself is not touched.

        Args:
            model: functional or Sequential Keras model, built.
            structure: "weight", "block", "unit", or n:m such as "2:4".
            sparsity: final fraction of zeros in [0, 1); None: 0.8, or that of n:m.
            block_size: inputs x outputs of a block, for "block"; None: 32x64, smaller for small
                kernels.
            importance: ranking of groups (registry.IMPORTANCES); None: the default, lamp.
            floor: share of the final density that every kernel keeps at least; None: 0.25.
            scope: "global" (all kernels ranked together) or "layer" (each on its own).
            schedule: growth of the sparsity (registry.SCHEDULES).
            begin, end: of the schedule, up to 1 as a fraction of the training, else in steps.
            exclude: patterns of layers or kernels that stay dense, e.g. "head" or "block_1_*".
            round_to: units that are left are a multiple of it.

        Raises:
            UsageError: a name or value that does not exist, or a network with nothing to prune.
        """
        if importance is None and structure == "block":
            importance = DEFAULT_IMPORTANCE  # gradients are seen in some loops only
        config = MagnitudePruning(
            structure=structure,
            sparsity=sparsity,
            block_size=block_size,
            importance=importance,
            floor=floor,
            scope=scope,
            schedule=schedule,
            begin=begin,
            end=end,
            exclude=tuple(exclude),
            round_to=round_to,
        )
        check(config)
        self.model = fold(model)
        self.plan = plan(self.model, config)
        self._masked: MaskedNetwork | None = None
        self._network: CompressedModel | None = None
        self._updater: MaskUpdater | None = None
        self._step = 0

    def prepare(self, calibration: Calibration, steps: int | None = None) -> keras.Model:
        """Return the network to train, with masks and int8 grids in its layers.

        Args:
            calibration: inputs (n, ...) of real data that set the first activation ranges; of
                sequences, consecutive frames (n, features); of a network with several inputs, a
                dict of them by name.
            steps: optimizer steps of the whole training; None: :meth:`callback` asks ``fit``.
        """
        inputs = calibration_inputs(calibration)
        self._masked = MaskedNetwork(self.model, self.plan, inputs)
        prepared = self._masked.prepared
        self._network = trainable(prepared)
        self._updater = None
        self._step = 0
        if steps is not None:
            self.begin(steps)
        return self._network

    def begin(self, steps: int) -> None:
        """Lay the schedule over ``steps`` optimizer steps. Raises UsageError before `prepare`."""
        self._updater = self._prepared().updater(steps)
        assert self._network is not None, "it is made with the masks"
        self._network.compression = ScheduledMasks(self._updater)

    def callback(self) -> keras.callbacks.Callback:
        """Return what ``fit`` needs in its ``callbacks``: it moves the masks before every step."""
        return _MaskSchedule(self)

    def step(self) -> None:
        """Move the masks; in a loop of one's own, to be called before every optimizer step.

        Raises UsageError if neither :meth:`prepare` nor :meth:`begin` was told the steps.
        """
        if self._updater is None:
            raise UsageError("the schedule has no length: give prepare(calibration, steps=N)")
        self._updater.update(self._step)
        self._step += 1

    def finalize(self) -> keras.Model:
        """Return the plain network: zeros and int8 values in its kernels, removed units gone.

        Raises UsageError before the schedule has come to its end: the masks are not final then.
        """
        return self._finished().model

    @property
    def masks(self) -> Mapping[str, np.ndarray]:
        """Return ``layer/kernel`` -> mask (1: kept), of the shapes that `finalize` gives."""
        return self._finished().masks

    def _finished(self) -> PrunedNetwork:
        masked = self._prepared()
        if self._updater is None or not self._updater.final(self._step):
            done = "before the first step"
            if self._step:
                done = f"after {self._step} steps"
            raise UsageError(
                f"the pruning has not come to its final sparsity {done}: "
                "train on, or set an earlier end"
            )
        return masked.finish()

    def _prepared(self) -> MaskedNetwork:
        if self._masked is None:
            raise UsageError("there is no network to train yet: call prepare(calibration) first")
        return self._masked


class _MaskSchedule(keras.callbacks.Callback):
    """Moves the masks of a pruner before every batch of ``fit``."""

    def __init__(self, pruner: Pruner) -> None:
        super().__init__()
        self._pruner = pruner

    def on_train_begin(self, logs: object = None) -> None:
        """Lay the schedule over the epochs of this ``fit``, unless its length is known."""
        if self._pruner._updater is not None:
            return
        epochs = self.params.get("epochs")
        steps = self.params.get("steps")
        if not epochs or not steps:
            raise UsageError(
                "fit does not know its number of steps: give prepare(calibration, steps=N)"
            )
        self._pruner.begin(epochs * steps)

    def on_train_batch_begin(self, batch: int, logs: object = None) -> None:
        """Move the masks."""
        self._pruner.step()
