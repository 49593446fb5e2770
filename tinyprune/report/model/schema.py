"""JSON Schema of the records, made from their dataclasses: it says what the code says."""

import dataclasses
import inspect
import itertools
import re
import types
import typing
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

DRAFT = "https://json-schema.org/draft/2020-12/schema"

_PLAIN: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    Path: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    type(None): {"type": "null"},
    Any: {},
}


def json_schema(kind: type) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of what ``records.to_jsonable`` makes of a dataclass.

    Fields without a default are required. Fields that are not named are allowed, because readers
    ignore them. Raises TypeError for a type that no record has.
    """
    definitions: dict[str, Any] = {}
    body = _object(kind, definitions)
    definitions.pop(kind.__name__, None)
    return {
        "$schema": DRAFT,
        "title": kind.__name__,
        **body,
        "$defs": dict(sorted(definitions.items())),
    }


def descriptions(kind: type) -> dict[str, str]:
    """Return field -> its text in the ``Attributes:`` block of the docstring, own and inherited.

    ``a, b: text`` is the text of both.
    """
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if dataclasses.is_dataclass(base):
            found |= _own_descriptions(base)
    return found


def _own_descriptions(kind: type) -> dict[str, str]:
    """The texts of one docstring."""
    fields = "|".join(field.name for field in dataclasses.fields(typing.cast(Any, kind)))
    _, _, block = _docstring(kind).partition("Attributes:\n")
    block = re.split(r"\n\s*\n", block)[0]

    # A name begins a line, or follows a full stop or a semicolon on the same line.
    before = r"(?:^\s*|(?<!e\.g)[.;]\s+)"
    names = rf"((?:{fields})(?:,\s+(?:{fields}))*)"
    starts = list(re.finditer(rf"{before}{names}:\s", block, re.MULTILINE))

    found: dict[str, str] = {}
    for start, following in itertools.zip_longest(starts, starts[1:]):
        end = following.start(1) if following else len(block)
        text = " ".join(block[start.end() : end].split()).rstrip(";")
        found |= dict.fromkeys(re.split(r",\s+", start[1]), text)
    return found


def _docstring(kind: type) -> str:
    return inspect.getdoc(kind) or ""


def _object(kind: type, definitions: dict[str, Any]) -> dict[str, Any]:
    """The schema of a dataclass; those in it are put into ``definitions``."""
    hints = typing.get_type_hints(kind)
    texts = descriptions(kind)
    fields = dataclasses.fields(typing.cast(Any, kind))
    properties = {}
    for field in fields:
        text = {"description": texts[field.name]} if field.name in texts else {}
        properties[field.name] = {**text, **_value(hints[field.name], definitions)}
    required = [field.name for field in fields if not _has_default(field)]
    return {
        "description": _docstring(kind).partition("\n")[0],
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": True,
    }


def _has_default(field: "dataclasses.Field[Any]") -> bool:
    factory = field.default_factory
    return field.default is not dataclasses.MISSING or factory is not dataclasses.MISSING


def _value(hint: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    """The schema of a type hint."""
    if hint in _PLAIN:
        return dict(_PLAIN[hint])
    if dataclasses.is_dataclass(hint):
        return _reference(typing.cast(type, hint), definitions)
    of_origin = _OF_ORIGIN.get(typing.get_origin(hint))
    if of_origin is None:
        raise _no_field(hint)
    return of_origin(hint, definitions)


def _no_field(hint: Any) -> TypeError:
    return TypeError(
        f"a record has no field of type {hint}: expected plain types, tuples, dicts and dataclasses"
    )


def _values(hints: Sequence[Any], definitions: dict[str, Any]) -> list[dict[str, Any]]:
    return [_value(hint, definitions) for hint in hints]


def _mapping(hint: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    """The schema of a dict; its keys are text."""
    key, value = typing.get_args(hint)
    if key is not str:
        raise _no_field(hint)
    values = _value(value, definitions)
    return {"type": "object", "additionalProperties": values or True}


def _tuple(hint: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    """The schema of a tuple: of one type and any length, or of a type for each place."""
    arguments = typing.get_args(hint)
    if arguments[-1:] == (...,):
        return {"type": "array", "items": _value(arguments[0], definitions)}
    items = _values(arguments, definitions)
    count = len(items)
    return {"type": "array", "prefixItems": items, "minItems": count, "maxItems": count}


def _reference(kind: type, definitions: dict[str, Any]) -> dict[str, Any]:
    if kind.__name__ not in definitions:
        definitions[kind.__name__] = {}  # it may contain itself
        definitions[kind.__name__] = _object(kind, definitions)
    return {"$ref": f"#/$defs/{kind.__name__}"}


def _union(hint: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    """``{"type": ["string", "null"]}`` where that is enough."""
    members = _values(typing.get_args(hint), definitions)
    are_plain = all(set(member) == {"type"} for member in members)
    if are_plain:
        return {"type": [member["type"] for member in members]}
    return {"anyOf": members}


#: Origin of a type -> the schema of such a type.
_OF_ORIGIN: dict[Any, Callable[[Any, dict[str, Any]], dict[str, Any]]] = {
    types.UnionType: _union,
    typing.Union: _union,
    tuple: _tuple,
    dict: _mapping,
}
