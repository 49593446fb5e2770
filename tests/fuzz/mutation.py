"""Mutations of files: seeded, so that a case can be made again from its number."""

import json
import struct
import zipfile
from io import BytesIO

import numpy as np

#: Numbers that readers take for sizes, offsets and counts.
ODD_NUMBERS = (0, 1, -1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1)
#: What may stand in the place of a value of JSON.
ODD_VALUES = (None, [], {}, "", "x", -1, 0, 1e308, 2**63, True, [[]], {"a": {}}, "\x00", "=1+1")
#: What may stand in a text.
ODD_TEXTS = (
    "\x00",
    "[" * 5_000,
    "\n",
    '"',
    "=1+1",
    "é\ud7ff",
    "9" * 5_000,
    "{",
    "a" * 200_000,
    ",",
)


def mutated(content: bytes, kind: str, seed: int) -> bytes:
    """Return a file with a few changes of the kind that its readers are most likely to miss."""
    rng = np.random.default_rng(seed)
    if kind == "keras":
        return _archive(content, rng)
    if kind == "json":
        return _json(content, rng)
    if kind == "fields":
        return _fields(content, rng)
    if kind in ("toml", "csv"):
        return _text(content, rng)
    return _bytes(content, rng)


def _bytes(content: bytes, rng: np.random.Generator) -> bytes:
    """Flip, overwrite, cut, repeat or remove bytes."""
    changed = bytearray(content)
    for _ in range(int(rng.integers(1, 6))):
        place = int(rng.integers(len(changed)))
        way = rng.integers(5)
        if way == 0:
            changed[place] ^= 1 << int(rng.integers(8))
        elif way == 1:
            number = ODD_NUMBERS[rng.integers(len(ODD_NUMBERS))] & 0xFFFFFFFF
            place -= place % 4
            changed[place : place + 4] = struct.pack("<I", number)
        elif way == 2:
            changed[place:] = changed[place : place + max(len(changed) - place - 40, 0)]
        elif way == 3:
            changed[place:place] = changed[place : place + int(rng.integers(1, 64))]
        else:
            del changed[place : place + int(rng.integers(1, 16))]
        changed = changed or bytearray(b"\x00")
    return bytes(changed)


def _fields(content: bytes, rng: np.random.Generator) -> bytes:
    """Put other numbers in their places, so that most of the file can still be read."""
    if rng.integers(6) == 0:
        return _bytes(content, rng)
    changed = bytearray(content)
    for _ in range(int(rng.integers(1, 4))):
        place = 4 * int(rng.integers(3, len(changed) // 4))
        if rng.integers(2):
            changed[place + int(rng.integers(4))] ^= 1 << int(rng.integers(8))
        else:
            number = ODD_NUMBERS[rng.integers(len(ODD_NUMBERS))] & 0xFFFFFFFF
            changed[place : place + 4] = struct.pack("<I", number)
    return bytes(changed)


def _text(content: bytes, rng: np.random.Generator) -> bytes:
    """Put something odd anywhere, or take a line away; every third text is broken as bytes."""
    if rng.integers(3) == 0:
        return _bytes(content, rng)
    lines = content.decode().splitlines()
    for _ in range(int(rng.integers(1, 4))):
        number = int(rng.integers(len(lines)))
        line = lines[number]
        place = int(rng.integers(len(line) + 1))
        odd = ODD_TEXTS[rng.integers(len(ODD_TEXTS))]
        lines[number] = rng.choice(["", line + line, line[:place], "+"])
        if rng.integers(2):
            lines[number] = line[:place] + odd + line[place:]
    return "\n".join(lines).encode(errors="surrogatepass")


def _json(content: bytes, rng: np.random.Generator) -> bytes:
    """Replace or remove values anywhere in a tree."""
    if rng.integers(4) == 0:
        return _text(content, rng)
    return json.dumps(_changed(json.loads(content), rng)).encode()


def _changed(value, rng: np.random.Generator):
    """Return a tree in which a value at a random depth is another."""
    is_open = isinstance(value, dict | list) and len(value) and rng.integers(5)
    if not is_open:
        return ODD_VALUES[rng.integers(len(ODD_VALUES))]
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    key = keys[rng.integers(len(keys))]
    if rng.integers(5) == 0:
        del value[key]
    else:
        value[key] = _changed(value[key], rng)
    return value


def _archive(content: bytes, rng: np.random.Generator) -> bytes:
    """Change one member of a ZIP, or the ZIP itself."""
    if rng.integers(4) == 0:
        return _bytes(content, rng)
    made = BytesIO()
    with zipfile.ZipFile(BytesIO(content)) as old, zipfile.ZipFile(made, "w") as new:
        names = old.namelist()
        victim = names[rng.choice(len(names), p=_weights(names))]
        for name in names:
            member = old.read(name)
            if name == victim:
                member = _json(member, rng) if name.endswith(".json") else _bytes(member, rng)
            new.writestr(name, member)
    return made.getvalue()


def _weights(names):
    """Most mutations go into the configuration, which has most of the meaning."""
    weights = np.array([4.0 if name == "config.json" else 1.0 for name in names])
    return weights / weights.sum()
