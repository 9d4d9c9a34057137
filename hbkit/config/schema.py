"""The config as a JSON schema, for editors that complete keys, show what they mean and underline what is wrong.

It is made from the typed settings: keys and descriptions are theirs, and what a value may look like is what the
function in `hbkit.config.shapes` accepts that reads it. A schema says less than `hbkit check`: it knows neither which
plugins there are nor which names must agree.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from hbkit.config import shapes
from hbkit.config.settings import InstrumentChoice, Notify, SecretText, Settings

DIALECT = "https://json-schema.org/draft/2020-12/schema"
TITLE = "hbkit config"

Fragment = dict[str, Any]

FILLED: Fragment = {"type": "string", "pattern": r"\$\{.+\}"}
"""A value that comes from outside: what it will be, a schema cannot know."""
_NUMBER = r"[0-9]+(\.[0-9]+)?"
TEXT: Fragment = {"type": "string", "minLength": 1}
TEXTS: Fragment = {"type": "array", "items": TEXT}
PERCENTAGE: Fragment = {"type": "string", "pattern": rf"^\s*{_NUMBER}\s*%\s*$"}
DURATION: Fragment = {"type": "string", "pattern": rf"^\s*({_NUMBER}|({_NUMBER}\s*([nNuUmM]?[sS]|[mMhHdDwW])\s*)+)\s*$"}
MOMENT: Fragment = {"type": "string", "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ].+)?$"}
SCALAR: Fragment = {"type": ["string", "number", "boolean", "null"]}
SOURCES: Fragment = {"anyOf": [TEXT, {**TEXTS, "minItems": 1}]}


def json_schema(params: Mapping[str, Fragment] | None = None) -> Fragment:
    """The schema of a config.

    :param params: what `params` of a strategy must be, by what `use` says.
    """
    made = Settings.model_json_schema(by_alias=True, mode="validation", schema_generator=_Generator)
    blocks = made.pop("$defs")
    for short in (InstrumentChoice.__name__, Notify.__name__):  # a text will do in place of the mapping
        blocks[short] = {"anyOf": [TEXT, blocks[short]], "description": blocks[short].pop("description", "")}
    strategy = blocks["Strategy"]
    if params:
        strategy["allOf"] = [_only_for(use, fragment) for use, fragment in params.items()]
    for block in (made, *blocks.values()):
        for one in _objects(block):
            _tidy(one)
    made.pop("title", None)
    return {"$schema": DIALECT, "title": TITLE, **made, "$defs": blocks}


def _number_from(fragment: Fragment) -> Fragment:
    """A number, or what is filled in."""
    return {"anyOf": [fragment, FILLED]}


def _only_for(use: str, params: Fragment) -> Fragment:
    is_meant = {"properties": {"use": {"const": use}}, "required": ["use"]}
    needed = {"required": ["params"]} if params.get("required") else {}
    return {"if": is_meant, "then": {"properties": {"params": params}, **needed}}


def _objects(block: Fragment) -> Iterator[Fragment]:
    """The mapping of a block; one that may be written as a text too is one of several."""
    yield from (one for one in (block, *block.get("anyOf", ())) if "properties" in one)


def _tidy(block: Fragment) -> None:
    """Descriptions for people, no defaults in our own units, and a key may always stand there empty."""
    needed = block.get("required", [])
    for key, fragment in block["properties"].items():
        fragment.pop("title", None)
        said = " ".join(fragment.pop("description", "").split())
        if key not in needed:
            fragment = _or_nothing(fragment)  # noqa: PLW2901
        # What a value becomes in here is nothing to whoever writes it.
        told = {"description": re.sub(r"; here [^.]*", "", said)} if said else {}
        block["properties"][key] = {**fragment, **told}
    block.pop("title", None)


def _or_nothing(fragment: Fragment) -> Fragment:
    if {"type": "null"} in fragment.get("anyOf", ()):
        return fragment
    return {"anyOf": [fragment, {"type": "null"}]}


class _Generator(GenerateJsonSchema):
    """What is read by one of `shapes` looks as that function says; the rest is as pydantic has it."""

    def function_before_schema(self, schema: core_schema.BeforeValidatorFunctionSchema) -> JsonSchemaValue:
        reader = schema["function"]["function"]
        found = _accepted(reader)
        if found is not None:
            return deepcopy(found)
        inner = self.generate_inner(schema["schema"])
        if reader is shapes.some_items:
            return {**inner, "minItems": 1}
        if reader is shapes.mapping and "$ref" in inner.get("additionalProperties", ()):
            return {**inner, "additionalProperties": _or_nothing(inner["additionalProperties"])}
        return {"anyOf": [inner, FILLED]} if "enum" in inner else inner

    def function_plain_schema(self, schema: core_schema.PlainValidatorFunctionSchema) -> JsonSchemaValue:
        reader = schema["function"]["function"]
        if reader is shapes.data_sources:
            return deepcopy({"anyOf": [*SOURCES["anyOf"], {"type": "object", "additionalProperties": SOURCES}]})
        if reader is shapes.parameters:
            value = {"anyOf": [SCALAR, {"type": "array", "items": SCALAR}]}
            return deepcopy({"type": "object", "additionalProperties": value})
        return {}

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        # A default in nanoseconds says nothing to whoever writes `60s`; the description names it.
        return self.generate_inner(schema["schema"])

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> JsonSchemaValue:
        del schema
        return _number_from({"type": "number"})


def _accepted(reader: Any) -> Fragment | None:
    """What one of the functions of `shapes` accepts; None where the type behind it says enough."""
    plain: dict[Any, Fragment] = {
        shapes.text: TEXT,
        _reader(SecretText): TEXT,
        shapes.texts: TEXTS,
        shapes.intervals: {"type": "array", "items": {"type": "string", "pattern": f"^{shapes._INTERVAL.pattern}$"}},
        shapes.moment: {"anyOf": [MOMENT, FILLED]},
        shapes.fraction: {"anyOf": [{"type": "number", "exclusiveMinimum": 0, "maximum": 1}, PERCENTAGE, FILLED]},
    }
    if reader in plain:
        return plain[reader]
    maker = getattr(reader, "__qualname__", "").partition(".")[0]
    told = inspect.getclosurevars(reader).nonlocals if inspect.isfunction(reader) else {}
    if maker == "_matching":
        return {"anyOf": [{"type": "string", "pattern": f"^{told['pattern'].pattern}$"}, FILLED]}
    if maker == "whole":
        return _number_from({"type": "integer", "minimum": told["minimum"]})
    if maker == "amount":
        return _number_from(_above(zero=told["zero"]))
    if maker == "duration":
        return {"anyOf": [_above(zero=told["zero"]), DURATION, FILLED]}
    return None


def _above(*, zero: bool) -> Fragment:
    return {"type": "number", "minimum" if zero else "exclusiveMinimum": 0}


def _reader(alias: Any) -> Any:
    return alias.__metadata__[0].func
