"""The parameters of a strategy: declared with a default and bounds, checked once at start, then plain attributes."""

from __future__ import annotations

import sys
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from hbkit.errors import did_you_mean

_MISSING: Any = object()
_TRUE_FALSE = {"true": True, "false": False}


@dataclass
class ParamSpec:
    """One declared parameter; `name` and `type` are filled in when the strategy class is made."""

    default: Any
    ge: float | None
    gt: float | None
    le: float | None
    lt: float | None
    choices: tuple[Any, ...] | None
    doc: str
    name: str = ""
    type: Any = float

    @property
    def required(self) -> bool:
        """True without a default."""
        return self.default is _MISSING

    @property
    def bounds(self) -> str:
        """The bounds in words: `>= 1 and <= 50`; the empty text without any."""
        pairs = ((">=", self.ge), (">", self.gt), ("<=", self.le), ("<", self.lt))
        parts = [f"{sign} {bound:g}" for sign, bound in pairs if bound is not None]
        if self.choices is not None:
            parts.append("one of " + ", ".join(map(str, self.choices)))
        return " and ".join(parts)

    @property
    def type_name(self) -> str:
        """The type in words."""
        names = {int: "a whole number", float: "a number", str: "text", bool: "true or false", Decimal: "a number"}
        return names.get(self.type, getattr(self.type, "__name__", str(self.type)))

    def parse(self, value: Any) -> Any:
        """`value` as this parameter's type and within its bounds. Raises ValueError in the user's words."""
        parsed = self._typed(value)
        comparable = isinstance(parsed, (int, float, Decimal)) and not isinstance(parsed, bool)
        outside = comparable and (
            (self.ge is not None and parsed < self.ge)
            or (self.gt is not None and parsed <= self.gt)
            or (self.le is not None and parsed > self.le)
            or (self.lt is not None and parsed >= self.lt)
        )
        if outside or (self.choices is not None and parsed not in self.choices):
            raise ValueError(f"must be {self.bounds}, got {value}")
        return parsed

    def _typed(self, value: Any) -> Any:
        wrong = ValueError(f"must be {self.type_name}{' ' + self.bounds if self.bounds else ''}, got {_words(value)}")
        if self.type is bool:
            if isinstance(value, bool):
                return value
            if str(value).lower() in _TRUE_FALSE:
                return _TRUE_FALSE[str(value).lower()]
            raise wrong
        if self.type is str:
            if isinstance(value, str):
                return value
            raise wrong
        if self.type in (int, float, Decimal):
            return self._number(value, wrong)
        return value

    def _number(self, value: Any, wrong: ValueError) -> Any:
        if isinstance(value, bool):
            raise wrong
        try:
            exact = value if isinstance(value, Decimal) else Decimal(str(value))
        except InvalidOperation:
            raise wrong from None
        if not exact.is_finite():
            raise wrong
        if self.type is int:
            if exact != exact.to_integral_value():
                raise wrong
            return int(exact)
        return exact if self.type is Decimal else float(exact)


def Param(
    default: Any = _MISSING,
    *,
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    lt: float | None = None,
    choices: tuple[Any, ...] | None = None,
    doc: str = "",
) -> Any:
    """Declare a parameter in a strategy's body: `fast: int = Param(20, ge=1)`.

    :param default: used when the config gives none; without one the config must.
    :param ge, gt, le, lt: bounds, checked before the run starts.
    :param choices: the values that are allowed.
    :param doc: one line for listings.
    """
    return ParamSpec(default, ge, gt, le, lt, choices, doc)


def collect(cls: type) -> dict[str, ParamSpec]:
    """The parameters declared in `cls` and its bases, in order of declaration. Raises TypeError for a bad one."""
    found: dict[str, ParamSpec] = {}
    for base in reversed(cls.__mro__):
        hints = _annotations(base)
        for name, value in vars(base).items():
            if isinstance(value, ParamSpec):
                value.name = name
                value.type = hints.get(name, _type_of_default(value))
                _check_default(cls, value)
                found[name] = value
    return found


def bind(cls: type, specs: Mapping[str, ParamSpec], given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """The values of all parameters, and per name what is wrong with those that cannot be used."""
    values: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for name in given:
        if name not in specs:
            mend = did_you_mean(name, specs, what="parameters")
            problems[name] = f'unknown parameter "{name}" of {cls.__name__}; {mend}'
    for name, spec in specs.items():
        if name not in given:
            if spec.required:
                problems[name] = f"parameter {name} of {cls.__name__} is missing; it must be {spec.type_name}"
            else:
                values[name] = spec.default
            continue
        try:
            values[name] = spec.parse(given[name])
        except ValueError as error:
            problems[name] = f"{name} {error}"
    return values, problems


def _annotations(base: type) -> dict[str, Any]:
    """Resolved annotations of one class body; those that cannot be resolved are left out."""
    module = sys.modules.get(base.__module__)
    scope = vars(module) if module is not None else {}
    resolved: dict[str, Any] = {}
    for name, hint in vars(base).get("__annotations__", {}).items():
        if isinstance(hint, str):
            known = {"int": int, "float": float, "str": str, "bool": bool, "Decimal": Decimal}
            hint = known.get(hint, scope.get(hint))  # noqa: PLW2901
        if hint is not None and typing.get_origin(hint) is not typing.ClassVar:
            resolved[name] = hint
    return resolved


def _type_of_default(spec: ParamSpec) -> Any:
    return float if spec.required else type(spec.default)


def _check_default(cls: type, spec: ParamSpec) -> None:
    if isinstance(spec.default, (list, dict, set)):
        raise TypeError(
            f"{cls.__name__}.{spec.name} has a mutable default that all its runs would share; use a tuple, "
            "or make the object in on_start"
        )
    if not spec.required:
        try:
            spec.default = spec.parse(spec.default)
        except ValueError as error:
            raise TypeError(f"the default of {cls.__name__}.{spec.name} {error}") from None


def _words(value: Any) -> str:
    return f'text "{value}"' if isinstance(value, str) else str(value)
