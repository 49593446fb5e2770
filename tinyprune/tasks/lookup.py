"""The task that a data set is for."""

from pathlib import Path

from tinyprune.audio.frontend import FrontEnd
from tinyprune.config import TrainConfig
from tinyprune.data.labelled import LabelledDataset
from tinyprune.data.speech.dataset import SpeechData
from tinyprune.storage.records import read_json
from tinyprune.tasks.classification import Classification
from tinyprune.tasks.speech import Speech
from tinyprune.tasks.task import Task
from tinyprune.training.denoise import measure_frontend

Dataset = SpeechData | LabelledDataset


def choose(dataset: Dataset, config: TrainConfig, frontend: Path | None = None) -> Task:
    """The task of a data set.

    Args:
        dataset: what there is to learn.
        config: batches that the statistics of speech features are measured on.
        frontend: record of those statistics, if they were measured before.
    """
    if isinstance(dataset, LabelledDataset):
        return Classification(dataset)
    known = (
        read_json(frontend, FrontEnd)
        if frontend
        else measure_frontend(dataset, config.batch_size, config.frames)
    )
    return Speech(dataset, known)
