import hashlib
import os
import signal
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from tinyprune.data.synthetic import espeak
from tinyprune.errors import TinypruneError

# f2 has breath noise and an echo, f1 flutter: the parts of espeak-ng that remember.
REQUESTS = [
    ("The quick boat shall measure six thin things.", "en-us", "f2"),
    ("Wir fahren mit dem Zug zum Schloss.", "de", "f1"),
    ("Ten pociąg jedzie do miasta.", "pl", ""),
]


def digest(request):
    text, voice, variant = request
    return hashlib.sha256(espeak.speak(text, voice, variant=variant).tobytes()).hexdigest()


def test_samples_are_speech():
    samples = espeak.speak("One two three.", "en-us", variant="f1")
    assert samples.dtype == np.float32
    assert samples.ndim == 1
    assert 0.5 < len(samples) / espeak.SAMPLE_RATE < 3
    assert 0.02 < samples.std() < 0.5
    assert np.abs(samples).max() < 1


def test_order_of_requests_does_not_matter():
    forward = [digest(request) for request in REQUESTS]
    backward = [digest(request) for request in reversed(REQUESTS)]
    assert forward == backward[::-1]
    assert len(set(forward)) == len(REQUESTS)


def test_another_process_gives_the_same_samples():
    code = (
        "import sys; sys.path[:0] = [sys.argv[1]]; import test_espeak as t; "
        "print(t.digest(t.REQUESTS[0]))"
    )
    # glibc then fills new memory with a pattern: what espeak-ng does not initialise would be heard.
    environment = os.environ | {"MALLOC_PERTURB_": "90"}
    command = [sys.executable, "-c", code, str(Path(__file__).parent)]
    run = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    digest(REQUESTS[1])
    assert run.stdout.strip() == digest(REQUESTS[0])


def test_parameters_change_the_voice():
    def seconds(**values):
        return len(espeak.speak("A rather long sentence about the weather.", "en-us", **values))

    assert seconds(words_per_minute=220) < 0.8 * seconds(words_per_minute=130)

    def speak(**values):
        return espeak.speak("A long sentence.", "en-us", **values)

    assert not np.array_equal(speak(), speak(pitch=70))
    assert not np.array_equal(speak(), speak(pitch_range=0))
    assert not np.array_equal(speak(), speak(variant="m3"))
    assert speak(volume=30).std() < 0.7 * speak(volume=60).std()


def test_unknown_voice_and_variant():
    with pytest.raises(TinypruneError, match="no voice 'xx-nosuch'"):
        espeak.speak("Hello", "xx-nosuch")
    with pytest.raises(TinypruneError, match="no voice variant 'belindo', did you mean 'belinda'"):
        espeak.speak("Hello", "en-us", variant="belindo")
    assert len(espeak.speak("Hello", "en-us"))  # and it still works


def test_missing_wheel_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(TinypruneError) as failure:
        espeak.speak("Hello", "en-us")
    assert (
        str(failure.value)
        == 'synthetic speech needs espeakng_loader, which is not installed: pip install "tinyprune[train]"'
    )


def fake_loader(library, data):
    loader = types.ModuleType("espeakng_loader")
    loader.get_library_path, loader.get_data_path = lambda: str(library), lambda: str(data)
    return loader


def test_broken_library(monkeypatch, tmp_path):
    (tmp_path / "espeak.so").write_bytes(b"not a library")
    monkeypatch.setitem(
        sys.modules, "espeakng_loader", fake_loader(tmp_path / "espeak.so", tmp_path)
    )
    with pytest.raises(TinypruneError, match="cannot load espeak-ng"):
        espeak.speak("Hello", "en-us")


def test_data_path_too_long_for_espeak(monkeypatch, tmp_path):
    library, data = espeak._paths()
    link = tmp_path / ("x" * (160 - len(os.fsencode(tmp_path)) - 1))
    link.symlink_to(data)
    monkeypatch.setitem(sys.modules, "espeakng_loader", fake_loader(library, link))
    with pytest.raises(TinypruneError, match="data path over 159 bytes"):
        espeak.speak("Hello", "en-us")


def test_a_library_in_use_elsewhere_is_refused():
    # In a process of its own: a library that was loaded here would stay and spoil the other tests.
    code = (
        "import ctypes, espeakng_loader; from tinyprune.data.synthetic import espeak\n"
        "held = ctypes.CDLL(espeakng_loader.get_library_path())\n"
        "try: espeak.speak('Hello', 'en-us')\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.startswith("TinypruneError espeak-ng is in use by another package")


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs an interval timer")
def test_interrupt_is_neither_lost_nor_harmful():
    before = digest(REQUESTS[0])
    handler = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            signal.setitimer(signal.ITIMER_REAL, 0.01)
            espeak.speak("one two three four five six seven. " * 100, "en-us")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
    assert digest(REQUESTS[0]) == before
