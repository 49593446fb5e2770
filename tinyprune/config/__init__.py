"""The configuration of a run: typed, read from recipes and from the command line, checked."""

from tinyprune.config.budget import BudgetConfig
from tinyprune.config.data import (
    AnomalyData,
    ArrayData,
    DataConfig,
    ImageData,
    KeywordData,
    MixtureData,
    OwnData,
    PairedData,
    SyntheticSpeechData,
)
from tinyprune.config.pruning import (
    BudgetPruning,
    LayerRule,
    MagnitudePruning,
    OfflinePruning,
    PruneConfig,
    TargetConfig,
    TrainedPruning,
)
from tinyprune.config.run import (
    BALANCED,
    MODEL_FILES,
    ModelConfig,
    RunConfig,
    TrainConfig,
    check,
    from_mapping,
    to_mapping,
)
from tinyprune.config.sweep import SweepConfig, SweepStep

__all__ = [
    "BALANCED",
    "MODEL_FILES",
    "AnomalyData",
    "ArrayData",
    "BudgetConfig",
    "BudgetPruning",
    "DataConfig",
    "ImageData",
    "KeywordData",
    "LayerRule",
    "MagnitudePruning",
    "MixtureData",
    "ModelConfig",
    "OfflinePruning",
    "OwnData",
    "PairedData",
    "PruneConfig",
    "RunConfig",
    "SweepConfig",
    "SweepStep",
    "SyntheticSpeechData",
    "TargetConfig",
    "TrainConfig",
    "TrainedPruning",
    "check",
    "from_mapping",
    "to_mapping",
]
