"""The C of the network that comes with tinyprune, made once."""

from pathlib import Path

import pytest

from tinyprune import pretrained
from tinyprune.npu import targets
from tinyprune.stages.firmware import Firmware, FirmwareOptions, firmware_of_file


@pytest.fixture(scope="session")
def denoiser_firmware(tmp_path_factory: pytest.TempPathFactory) -> Firmware:
    """Sources of the shipped denoiser; not to be changed."""
    folder: Path = tmp_path_factory.mktemp("firmware") / "denoiser"
    options = FirmwareOptions(targets.resolve("ethos-u55-128"), folder)
    return firmware_of_file(pretrained.denoiser(), options)
