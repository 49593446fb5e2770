"""Sentences for synthetic voices: a subject, a predicate and an ending make one.

The phrases of each language stand in ``phrases.toml``.
"""

import functools
import tomllib
import zlib
from importlib import resources

import numpy as np

_PARTS = 20
#: The twentieths of all sentences that a split and a use have: none is in two splits or uses.
_SHARES = {
    ("train", "speech"): range(12),
    ("train", "babble"): range(12, 14),
    ("dev", "speech"): range(14, 16),
    ("dev", "babble"): range(16, 17),
    ("test", "speech"): range(17, 19),
    ("test", "babble"): range(19, 20),
}


def sentence(rng: np.random.Generator, language: str, split: str, use: str) -> str:
    """Draw a sentence of a language that belongs to one split and one use.

    The use is ``"speech"`` or ``"babble"``.
    """
    shares = _SHARES[split, use]
    while True:
        words = [phrases[rng.integers(len(phrases))] for phrases in phrase_lists()[language]]
        text = " ".join(words)
        if zlib.crc32(text.encode()) % _PARTS in shares:
            return text + "."


@functools.cache
def phrase_lists() -> dict[str, tuple[list[str], ...]]:
    """Return subjects, predicates and endings of each language."""
    file = resources.files("tinyprune.data.synthetic") / "phrases.toml"
    languages = tomllib.loads(file.read_text(encoding="utf-8"))
    return {language: tuple(lists.values()) for language, lists in languages.items()}
