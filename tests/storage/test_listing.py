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


def test_links_to_folders_are_followed_and_every_file_counts_once(tmp_path):
    for path in ("speech/a/1.wav", "speech/2.wav", "elsewhere/3.wav", "elsewhere/b/4.wav"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    speech = tmp_path / "speech"
    (speech / "0-same").symlink_to(speech / "a")
    (speech / "link").symlink_to(tmp_path / "elsewhere")
    (speech / "again").symlink_to(tmp_path / "elsewhere")
    (speech / "file.wav").symlink_to(tmp_path / "elsewhere/3.wav")
    (speech / "gone.wav").symlink_to(tmp_path / "nothing.wav")
    found = [path.relative_to(speech).as_posix() for path in list_files(speech, [".wav"])]
    assert found == ["2.wav", "a/1.wav", "again/3.wav", "again/b/4.wav"]


def test_links_in_a_circle_end(tmp_path):
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/1.wav").touch()
    (tmp_path / "a/b/up").symlink_to(tmp_path / "a")
    (tmp_path / "a/self").symlink_to(tmp_path / "a/self")
    assert list_files(tmp_path, [".wav"]) == [tmp_path / "a/1.wav"]


def test_a_folder_may_itself_be_a_link(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real/1.wav").touch()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert list_files(tmp_path / "link", [".wav"]) == [tmp_path / "link/1.wav"]
