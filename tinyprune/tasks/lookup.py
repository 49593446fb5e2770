"""The task that a data set is for."""

from pathlib import Path

from tinyprune.config import TrainConfig
from tinyprune.registry import TASKS
from tinyprune.tasks.task import Dataset, Task


def task_of(dataset: Dataset, config: TrainConfig, frontend: Path | None = None) -> Task:
    """Create the task of a data set.

    Args:
        dataset: training, dev and maybe test data.
        config: batches that statistics of the data are measured on.
        frontend: record of those statistics, if they were measured before.
    """
    task: Task = TASKS[dataset.task].create(dataset, config, frontend)
    return task
