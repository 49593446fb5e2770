"""The sizes of all measurements, and the toy sizes with which tests show that they still run.

The processes that a measurement starts have the same sizes: an environment variable tells them.
"""

import os
from dataclasses import dataclass

SMOKE_VARIABLE = "TINYPRUNE_BENCHMARK_SMOKE"


@dataclass(frozen=True)
class Sizes:
    """How much is measured.

    Attributes:
        batch, frames: of a training step on speech; convolutional networks have the same batch.
        warm_steps: first steps of a training that do not count; the first one traces.
        speech_steps, labelled_steps: steps that count, on speech and on labelled arrays.
        warm_up_rounds: rounds of all cases that do not count.
        lstm_units, lstm_hidden: of the TinyLSTM that is trained.
        corpus_minutes: of speech, and of noise as well.
        audio_hours: of speech that a training streams from disk, in data_memory.
        recording_minutes: the short and the long recording of streaming.
        scored_files: utterances of scoring.
        accelerators: how many targets matrix and mask_bits compile for; 0: all.
        mask_mixtures: test mixtures that mask_bits scores.
        leveled_mixtures: dev mixtures that levels enhances.
        rates: how many sample rates resampling measures; 0: all.
        tones: of each direction of a rate.
        helps: how many commands startup asks for help; 0: all.
        labelled_networks: how many networks of labelled arrays joint_conv trains.
        ds_cnn_blocks: of the DS-CNN among them.
        held_out_minutes: of synthetic speech and noise, for dev and test each.
        firmware_seconds: of sound that goes through generated C.
        firmware_mixtures: dev mixtures that it enhances in floating and in fixed point.
        train_networks, held_out_networks: random ones of fit_npu.
        registered_fractions: widths of the registered ones of fit_npu.
        fitted_targets: how many targets fit_npu fits; 0: all.
        ranked_networks: how many networks ranking prunes.
        ranked_ways: how many importances and scopes it tries.
        ranked_sparsities: of ranking.
        mlperf_networks: how many networks mlperf_tiny trains.
        mlperf_sparsities: of mlperf_tiny.
        simulated_trials: of sweep_schedule.
        structured_networks, structured_rows: of structures.
        sweep_trials, sweep_epochs: of sweep_engines.
    """

    batch: int = 64
    frames: int = 100
    warm_steps: int = 3
    speech_steps: int = 12
    labelled_steps: int = 40
    warm_up_rounds: int = 1
    lstm_units: int = 256
    lstm_hidden: int = 128
    corpus_minutes: float = 20
    audio_hours: float = 5.0
    recording_minutes: tuple[float, float] = (1, 10)
    scored_files: int = 824
    accelerators: int = 0
    mask_mixtures: int = 96
    leveled_mixtures: int = 24
    rates: int = 0
    tones: int = 24
    helps: int = 0
    labelled_networks: int = 2
    ds_cnn_blocks: int = 4
    held_out_minutes: float = 4.0
    firmware_seconds: float = 60
    firmware_mixtures: int = 24
    train_networks: int = 30
    held_out_networks: int = 12
    registered_fractions: tuple[float, ...] = (1.0, 0.8, 0.6, 0.4, 0.25, 0.12)
    fitted_targets: int = 0
    ranked_networks: int = 5
    ranked_ways: int = 6
    ranked_sparsities: tuple[float, ...] = (0.5, 0.8, 0.9, 0.95, 0.97)
    mlperf_networks: int = 4
    mlperf_sparsities: tuple[float, ...] = (0.5, 0.8, 0.9)
    structured_networks: int = 3
    structured_rows: int = 17
    simulated_trials: int = 1000
    sweep_trials: int = 12
    sweep_epochs: int = 24


SMOKE = Sizes(
    batch=4,
    frames=20,
    warm_steps=1,
    speech_steps=2,
    labelled_steps=2,
    warm_up_rounds=0,
    lstm_units=64,
    lstm_hidden=64,
    corpus_minutes=0.2,
    audio_hours=0.02,
    recording_minutes=(0.05, 0.1),
    scored_files=4,
    accelerators=2,
    mask_mixtures=2,
    leveled_mixtures=2,
    rates=1,
    tones=3,
    helps=2,
    labelled_networks=1,
    ds_cnn_blocks=1,
    held_out_minutes=0.1,
    firmware_seconds=0.5,
    firmware_mixtures=1,
    train_networks=3,
    held_out_networks=1,
    registered_fractions=(0.25,),
    fitted_targets=1,
    ranked_networks=1,
    ranked_ways=2,
    ranked_sparsities=(0.9,),
    mlperf_networks=1,
    mlperf_sparsities=(0.5,),
    structured_networks=1,
    structured_rows=2,
    simulated_trials=20,
    sweep_trials=2,
    sweep_epochs=4,
)
SIZES = SMOKE if os.environ.get(SMOKE_VARIABLE) else Sizes()
