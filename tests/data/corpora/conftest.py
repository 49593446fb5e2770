import pytest

from tests.support.corpora import touch


@pytest.fixture
def voicebank(tmp_path):
    for side in ("noisy", "clean"):
        touch(tmp_path, *(f"{side}_trainset_28spk_wav/p22{n}_00{n}.wav" for n in (6, 7)))
        touch(tmp_path, *(f"{side}_testset_wav/p232_00{n}.wav" for n in (1, 2, 3)))
    (tmp_path / "log_trainset_28spk.txt").write_text("p226_006 cafe 15\np227_007 psquare 5\n")
    (tmp_path / "log_testset.txt").write_text("p232_001 bus 17.5\np232_002 living 2.5\n")
    (tmp_path / "log_readme.txt").write_text("The columns are: file noise SNR\n")
    return tmp_path
