import os

from tinyprune.storage.listing import list_files


def test_hidden_files_and_hidden_folders_are_left_out(tmp_path):
    for name in ("a.wav", "sub/B.WAV", "._a.wav", ".hidden/c.wav", "sub/.d.wav", "e.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.wav").mkdir()
    (tmp_path / "dangling.wav").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe.wav")
    found = [path.relative_to(tmp_path).as_posix() for path in list_files(tmp_path, (".wav",))]
    assert found == ["a.wav", "sub/B.WAV"]


def test_a_folder_may_be_in_a_hidden_one(tmp_path):
    folder = tmp_path / ".cache" / "corpus"
    folder.mkdir(parents=True)
    (folder / "a.wav").touch()
    assert list_files(folder, (".wav",)) == [folder / "a.wav"]
