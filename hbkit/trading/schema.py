"""The parameters of a strategy as a JSON schema, for the part of a config that only the strategy knows."""

from __future__ import annotations

from decimal import Decimal
from enum import Enum
from typing import Any

from hbkit.trading.params import ParamSpec
from hbkit.trading.strategy import Strategy

_FILLED = {"type": "string", "pattern": r"\$\{.+\}"}
_BOUNDS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}
_TYPES = {int: "integer", float: "number", Decimal: "number", bool: "boolean", str: "string"}


def params_schema(cls: type[Strategy]) -> dict[str, Any]:
    """What `params` of this strategy may hold: its parameters, their types, bounds, choices and what they are for."""
    return {
        "type": "object",
        "properties": {name: _value(spec) for name, spec in cls.params.items()},
        "required": [name for name, spec in cls.params.items() if spec.required],
        "additionalProperties": False,
    }


def _value(spec: ParamSpec) -> dict[str, Any]:
    allowed = [_typed(spec), _FILLED, *([{"type": "null"}] if spec.optional else [])]
    default = "" if spec.required else f"default {spec.default}"
    said = "; ".join(part for part in (spec.doc, spec.bounds, default) if part)
    return {"anyOf": allowed, "description": said}


def _typed(spec: ParamSpec) -> dict[str, Any]:
    if spec.choices is not None:
        return {"enum": [_plain(choice) for choice in spec.choices]}
    if isinstance(spec.type, type) and issubclass(spec.type, Enum):
        return {"enum": [_plain(one.value) for one in spec.type]}
    if spec.type not in _TYPES:
        return {}
    bounds = {_BOUNDS[name]: getattr(spec, name) for name in _BOUNDS if getattr(spec, name) is not None}
    return {"type": _TYPES[spec.type], **{word: _plain(bound) for word, bound in bounds.items()}}


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value
