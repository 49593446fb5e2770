"""JSON Schema of recipes, made from the configurations: editors complete and check with it."""

import dataclasses
import types
import typing
from collections.abc import Callable
from typing import Any

from tinyprune.config.family import Family, Fields, Member, fields_of
from tinyprune.config.run import RunConfig
from tinyprune.config.settings import Config, NameRule, is_needed, plain, setting_of

#: Editors that read TOML know this draft.
DRAFT = "http://json-schema.org/draft-07/schema#"
Schema = dict[str, Any]

_SCALARS: dict[Any, Schema] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
}
_TEXTS: Schema = {
    "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
}
_NUMBER_OR_TEXT: Schema = {"type": ["string", "number"]}
_TWO_NUMBERS: Schema = {
    "anyOf": [
        {"type": "string"},
        {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2},
    ]
}


def recipe_schema() -> Schema:
    """Return the JSON Schema (draft 7) of a recipe.

    Keys that do not exist are errors in it, as they are for ``tinyprune run``. A table of a family,
    ``[data]`` or ``[[prune]]``, has the keys of all of its members.
    """
    return {"$schema": DRAFT, "title": "Recipe of tinyprune", **_table(RunConfig)}


def _table(kind: type[Config]) -> Schema:
    """Return the schema of one configuration, or of all members of a family."""
    if issubclass(kind, Member):
        family = kind.family
        properties = {family.key: _key(family)}
        for name, field in family.fields.items():
            hint = typing.get_type_hints(family.owners(name)[0])[name]
            properties[name] = _setting(field, hint)
        needed: list[str] = []
    else:
        fields = fields_of(kind)
        hints = typing.get_type_hints(kind)
        properties = {name: _setting(field, hints[name]) for name, field in fields.items()}
        needed = _needed(fields)
    schema: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    if needed:
        schema["required"] = needed
    return schema


def _key(family: Family) -> Schema:
    """Return the schema of the key that says which member a table is."""
    return {"enum": family.names, "default": family.names[0]}


def _needed(fields: Fields) -> list[str]:
    """Return the names of the settings without a default."""
    return [name for name, field in fields.items() if is_needed(field)]


def _setting(field: "dataclasses.Field[Any]", hint: Any) -> Schema:
    """Return the schema of a setting, with its meaning, its default and the names it may have."""
    facts = setting_of(field)
    schema = dict(_NUMBER_OR_TEXT) if facts.is_text_of_number else _value(hint)
    if facts.is_text_of_number and typing.get_origin(hint) is tuple:
        schema = {"type": "array", "items": dict(_NUMBER_OR_TEXT)}
    if isinstance(facts.rule, NameRule):
        schema = {"enum": sorted(facts.rule.registry)}
    if facts.help:
        schema["description"] = facts.help
    if isinstance(field.default, str | int | float | bool):
        schema["default"] = plain(field.default)
    return schema


def _value(hint: Any) -> Schema:
    """Return the schema of the values of a type."""
    if hint in _SCALARS:
        return dict(_SCALARS[hint])
    if dataclasses.is_dataclass(hint):
        return _table(typing.cast(type[Config], hint))
    return _OF_ORIGIN[typing.get_origin(hint)](hint)


def _optional(hint: Any) -> Schema:
    """Return the schema of ``X | None``: TOML has no None, so a key is left out."""
    kinds = [kind for kind in typing.get_args(hint) if kind is not types.NoneType]
    if len(kinds) > 1:
        return dict(_TEXTS)
    return _value(kinds[0])


def _tuple(hint: Any) -> Schema:
    """Return the schema of a list, of tables or of values, or of a range of two numbers."""
    kind, *rest = typing.get_args(hint)
    if rest != [...]:
        return dict(_TWO_NUMBERS)
    items = _value(kind)
    if dataclasses.is_dataclass(kind):
        return {"anyOf": [{"type": "array", "items": items}, items]}
    return {"anyOf": [{"type": "array", "items": items}, {"type": "string"}]}


#: Origin of a type -> the schema of such a type.
_OF_ORIGIN: dict[Any, Callable[[Any], Schema]] = {
    types.UnionType: _optional,
    typing.Union: _optional,
    tuple: _tuple,
}
