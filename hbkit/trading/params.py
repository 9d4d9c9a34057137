"""The parameters of a strategy: declared with a default and bounds, checked once at start, then plain attributes."""

from __future__ import annotations

import math
import sys
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import Enum
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
    optional: bool = False
    """Whether None is a value too: `stop: float | None = Param(None)`."""

    @property
    def required(self) -> bool:
        """True without a default."""
        return self.default is _MISSING

    @property
    def bounds(self) -> str:
        """The bounds in words: `>= 1 and <= 50`; the empty text without any."""
        pairs = ((">=", self.ge), (">", self.gt), ("<=", self.le), ("<", self.lt))
        parts = [f"{sign} {bound:.15g}" for sign, bound in pairs if bound is not None]
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
        chosen = self.choices is None or any(_same(parsed, choice) for choice in self.choices)
        if not chosen or self._is_outside(parsed):
            raise ValueError(f"must be {self.bounds}, got {value}")
        return parsed

    def _is_outside(self, parsed: Any) -> bool:
        if not isinstance(parsed, (int, float, Decimal)) or isinstance(parsed, bool):
            return False
        number = _exact(parsed)
        return (
            (self.ge is not None and number < _exact(self.ge))
            or (self.gt is not None and number <= _exact(self.gt))
            or (self.le is not None and number > _exact(self.le))
            or (self.lt is not None and number >= _exact(self.lt))
        )

    def _typed(self, value: Any) -> Any:
        wrong = ValueError(f"must be {self.type_name}{' ' + self.bounds if self.bounds else ''}, got {_words(value)}")
        if value is None and self.optional:
            return None
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
        if isinstance(self.type, type) and issubclass(self.type, Enum):
            try:
                return self.type(value)
            except ValueError:
                raise ValueError(
                    f"must be one of {', '.join(str(one.value) for one in self.type)}, got {value}"
                ) from None
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
        if self.type is float and math.isinf(float(exact)):
            raise wrong
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
    taken: set[str] = set()
    for base in reversed(cls.__mro__):
        hints = _annotations(base)
        for name, value in vars(base).items():
            if not isinstance(value, ParamSpec):
                if found.pop(name, None) is None and not isinstance(value, int):
                    taken.add(name)  # else a subclass fixed the parameter, or it is a number such as `warmup`
                continue
            if name in taken and name not in found:
                raise TypeError(f"{cls.__name__}.{name} would hide what a strategy has under that name; rename it")
            value.name = name
            value.type, value.optional = _without_none(hints.get(name, _type_of_default(value)))
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
            hint = _resolved(hint, scope)  # noqa: PLW2901
        if hint is not None and typing.get_origin(hint) is not typing.ClassVar:
            resolved[name] = hint
    return resolved


def _resolved(hint: str, scope: dict[str, Any]) -> Any:
    """What an annotation kept as text means, None where that cannot be known."""
    try:
        return eval(hint, {"Decimal": Decimal, **scope})  # the author's own annotation, in the author's own file
    except (NameError, AttributeError, SyntaxError, TypeError):
        return None


def _without_none(hint: Any) -> tuple[Any, bool]:
    """`float | None` as float, and whether None was in it."""
    parts = typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else ()
    rest = [part for part in parts if part is not type(None)]
    return (rest[0], True) if len(rest) == 1 and len(parts) == 2 else (hint, False)


def _type_of_default(spec: ParamSpec) -> Any:
    return float if spec.required else type(spec.default)


def _check_default(cls: type, spec: ParamSpec) -> None:
    if type(spec.default).__hash__ is None:
        raise TypeError(
            f"{cls.__name__}.{spec.name} has a mutable default that all its runs would share; use a tuple, "
            "or make the object in on_start"
        )
    if not spec.required:
        try:
            spec.default = spec.parse(spec.default)
        except ValueError as error:
            raise TypeError(f"the default of {cls.__name__}.{spec.name} {error}") from None


def _exact(number: float | Decimal) -> Decimal:
    """The number that was written: a bound of 0.1 means a tenth, not the float beside it."""
    return number if isinstance(number, Decimal) else Decimal(str(number))


def _same(value: Any, choice: Any) -> bool:
    return value == choice or (isinstance(value, Decimal) and isinstance(choice, float) and value == _exact(choice))


def _words(value: Any) -> str:
    return f'text "{value}"' if isinstance(value, str) else str(value)
