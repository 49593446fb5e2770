"""Options that follow from the settings of configurations: a field with an option has it here."""

from collections.abc import Callable, Mapping
from dataclasses import Field
from typing import Any

import click

from tinyprune.cli.values import KINDS
from tinyprune.config.family import Family, Fields, fields_of
from tinyprune.config.settings import Option, setting_of, shown

Decorator = Callable[[Any], Any]
NO_HELPS: Mapping[str, str] = {}


def settings(fields: Fields, prefix: str = "", helps: Mapping[str, str] = NO_HELPS) -> Decorator:
    """Return a decorator that adds the options of fields to a command, in their order.

    Args:
        fields: the fields by name; those without an option are left out.
        prefix: begin of the names of the parameters, e.g. "data_".
        helps: help of some fields, in place of their own.
    """

    def decorate(command: Any) -> Any:
        for name, field in reversed(fields.items()):
            option = setting_of(field).option
            if option is not None:
                text = helps.get(name, _help(field))
                command = _click_option(option, f"{prefix}{name}", text)(command)
        return command

    return decorate


def own_fields(kind: type) -> Fields:
    """Return the fields that a configuration declares itself."""
    declared = kind.__dict__.get("__annotations__", {})
    return {name: field for name, field in fields_of(kind).items() if name in declared}


def family_settings(family: Family, prefix: str) -> Decorator:
    """Return a decorator that adds the options of all members of a family, each once."""
    helps = {}
    for name in family.fields:
        texts = [_help(fields_of(owner)[name]) for owner in family.owners(name)]
        helps[name] = " ".join(dict.fromkeys(texts))
    return settings(family.fields, prefix, helps)


def keys(fields: Fields, section: str) -> dict[str, str]:
    """Return the dotted key of a recipe by the name of the parameter of its option."""
    return {f"{section}_{name}": f"{section}.{name}" for name in fields}


def flag_of(field: "Field[Any]") -> str:
    """Return the option of a field, as one types it."""
    option = setting_of(field).option
    if option:
        return option.flag.partition("/")[0]
    return field.name


def _click_option(option: Option, parameter: str, text: str) -> Decorator:
    """Return the decorator of one option; what is not given is None, or empty if repeatable."""
    if option.kind == "switch":
        return click.option(option.flag, parameter, is_flag=True, default=None, help=text)
    kind = KINDS[option.kind]
    return click.option(
        option.flag,
        parameter,
        type=kind.type,
        multiple=kind.is_repeatable,
        metavar=option.metavar or kind.metavar,
        help=text,
    )


def _help(field: "Field[Any]") -> str:
    """Return the help of a field, with its default where that says something."""
    text = setting_of(field).help
    if "[default" in text:
        return text
    default = shown(field.default)
    if not default:
        return text
    return f"{text}  [default: {default}]"
