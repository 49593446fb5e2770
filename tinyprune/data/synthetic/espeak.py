"""Text to speech with espeak-ng: a function from a request to samples, the same samples every time.

espeak-ng keeps state between utterances that its interface cannot reset: the position in its pitch
flutter table, its automatic gain, its cycle counter. Only a freshly loaded library always starts
from the same point, so each utterance loads the library, speaks and unloads it again. That costs
about 0.2 ms, little beside the synthesis.
"""

import ctypes
import difflib
import functools
import os
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from tinyprune import extras
from tinyprune.array_types import Float32Array
from tinyprune.errors import TinypruneError

SAMPLE_RATE = 22_050

# From espeak-ng's speak_lib.h.
_OUTPUT_SYNCHRONOUS = 2
_DO_NOT_EXIT = 0x8000
_CHARS_UTF8 = 1
_POSITION_IS_CHARACTER = 1
_PARAMETERS = {"words_per_minute": 1, "volume": 2, "pitch": 3, "pitch_range": 4}
_LONGEST_DATA_PATH = 159

_REINSTALL = "try: pip install --force-reinstall espeakng-loader"

_BUFFER_MS = 10_000
_RANDOM_SEED = 1
_LOCK = threading.Lock()
_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)


def speak(
    text: str,
    voice: str,
    *,
    variant: str = "",
    words_per_minute: int = 175,
    pitch: int = 50,
    pitch_range: int = 50,
    volume: int = 60,
) -> Float32Array:
    """Speak a text; the same request gives the same samples, whatever was spoken before.

    Args:
        text: what to say, in the language of the voice.
        voice: an espeak-ng language, e.g. ``"en-us"`` or ``"de"``.
        variant: a timbre, e.g. ``"f1"``; empty for the voice's own.
        words_per_minute: 80 to 450.
        pitch: 0 to 99, 50 is the variant's own.
        pitch_range: 0 (monotone) to 99.
        volume: 0 to 200; at 100 some variants clip.

    Returns:
        float32, shape (samples,), at ``SAMPLE_RATE``, in [-1, 1].

    Raises:
        TinypruneError: espeak-ng cannot be loaded, has no such voice or variant, or the text has no
            sound.
    """
    values = {
        "words_per_minute": words_per_minute,
        "volume": volume,
        "pitch": pitch,
        "pitch_range": pitch_range,
    }
    # Python handles signals in the main thread only: in another one Ctrl-C cannot land in (and be
    # dropped by) the callback. Leaving the block waits for the utterance, a few milliseconds.
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(_speak, text, voice, variant, values).result()


@functools.cache
def variants() -> tuple[str, ...]:
    """Return the names of the timbres that espeak-ng knows."""
    _, data = _paths()
    return tuple(sorted(path.name for path in (data / "voices" / "!v").iterdir()))


def _speak(text: str, voice: str, variant: str, values: dict[str, int]) -> Float32Array:
    with _LOCK, _fresh_library() as library:
        _set_voice(library, voice, variant)
        for name, value in values.items():
            _check(
                library.espeak_SetParameter(_PARAMETERS[name], value, 0),
                f"does not take {name}={value}",
            )
        # Breath noise is random: seeded by the clock unless told otherwise.
        library.espeak_ng_SetRandSeed(ctypes.c_long(_RANDOM_SEED))
        return _synthesise(library, text)


def _synthesise(library: ctypes.CDLL, text: str) -> Float32Array:
    chunks: list[bytes] = []

    @_CALLBACK
    def collect(samples: int | None, count: int, _events: int | None) -> int:
        if samples and count > 0:
            chunks.append(ctypes.string_at(samples, 2 * count))
        return 0

    library.espeak_SetSynthCallback(collect)
    data = text.encode() + b"\0"
    size = ctypes.c_size_t(len(data))
    _check(
        library.espeak_Synth(data, size, 0, _POSITION_IS_CHARACTER, 0, _CHARS_UTF8, None, None),
        "could not speak",
    )
    _check(not chunks, f"has nothing to say for {text!r}")
    return np.frombuffer(b"".join(chunks), "<i2").astype(np.float32) / np.float32(32768)


def _set_voice(library: ctypes.CDLL, voice: str, variant: str) -> None:
    # espeak-ng takes an unknown variant without a word and speaks with the default one.
    if variant and variant not in variants():
        close = difflib.get_close_matches(variant, variants(), n=1)
        hint = f", did you mean '{close[0]}'?" if close else ""
        raise TinypruneError(f"espeak-ng has no voice variant '{variant}'{hint}")
    name = f"{voice}+{variant}" if variant else voice
    _check(
        library.espeak_SetVoiceByName(name.encode()),
        f"has no voice '{voice}': try a language code such as en-us",
    )


def _check(failed: int, problem: str) -> None:
    if failed:
        raise TinypruneError(f"espeak-ng {problem}")


@contextmanager
def _fresh_library() -> Iterator[ctypes.CDLL]:
    path, data = _paths()
    _refuse_if_loaded(path)
    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:
        raise TinypruneError(f"cannot load espeak-ng: {error}; {_REINSTALL}") from None
    try:
        # The data path built into the wheel's library is that of the machine that built it.
        rate = library.espeak_Initialize(
            _OUTPUT_SYNCHRONOUS, _BUFFER_MS, os.fsencode(data), _DO_NOT_EXIT
        )
        if rate != SAMPLE_RATE:
            raise TinypruneError(f"espeak-ng cannot read its data in {data}; {_REINSTALL}")
        yield library
    finally:
        library.espeak_Terminate()
        _unload(library)


def _refuse_if_loaded(path: Path) -> None:
    """Raise TinypruneError if the library is loaded already.

    Loading it again would give its used state, not a fresh one.
    """
    no_load: Any = getattr(os, "RTLD_NOLOAD", None)
    if no_load is None:
        return
    try:
        ctypes.CDLL(str(path), mode=no_load)
    except OSError:
        return
    raise TinypruneError(
        "espeak-ng is in use by another package in this process: its output would not be repeatable"
    )


def _unload(library: ctypes.CDLL) -> None:
    import _ctypes

    if sys.platform == "win32":
        _ctypes.FreeLibrary(library._handle)
    else:
        _ctypes.dlclose(library._handle)


def _paths() -> tuple[Path, Path]:
    """Return the library and its data directory, from the espeakng-loader wheel."""
    extras.require("espeakng_loader", "synthetic speech")
    import espeakng_loader

    try:
        library = Path(espeakng_loader.get_library_path())
        data = Path(espeakng_loader.get_data_path())
    except RuntimeError as error:
        raise TinypruneError(f"espeak-ng is incomplete: {error}; {_REINSTALL}") from None
    if len(os.fsencode(data)) > _LONGEST_DATA_PATH:
        raise TinypruneError(
            f"espeak-ng cannot use a data path over {_LONGEST_DATA_PATH} bytes: "
            f"install into a shorter one than {data}"
        )
    return library, data
