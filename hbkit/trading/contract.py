"""Checks a strategy class before anything starts: misspelt callbacks, async ones, wrong arguments, bad defaults."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

from hbkit.errors import Fault, did_you_mean
from hbkit.trading.params import ParamSpec
from hbkit.trading.strategy import CALLBACKS, Strategy

MAY_BE_ASYNC = frozenset({"on_start", "on_stop"})
_ARGUMENT = {
    "on_trade": "trade", "on_quote": "quote", "on_book": "book", "on_candle": "candle", "on_mark": "mark",
    "on_funding": "funding", "on_liquidation": "fill", "on_order": "order", "on_fill": "fill",
    "on_position": "position", "on_position_mode": "change", "on_balance": "balance", "on_connected": "exchange",
    "on_disconnected": "exchange", "on_error": "error",
}  # fmt: skip


_TAKEN = {name for name in vars(Strategy) if not name.startswith("_")} - {*CALLBACKS, "params", "warmup"}
"""What a strategy has already: `orders`, `balance`, `buy` ... A method of that name would take its place in silence."""


def check_class(cls: type[Strategy]) -> list[Fault]:
    """Everything in `cls` that cannot work, each with file, line and mend."""
    faults: list[Fault] = []
    hidden = False
    for owner in cls.__mro__:
        hidden = hidden or owner is Strategy
        if owner in Strategy.__mro__:
            continue
        for name, member in vars(owner).items():
            if type(member) in (list, dict, set) and not (name.isupper() or name.startswith("__") or name == "params"):
                faults.append(_shared_by_all(owner, name, member))
            if name in _TAKEN and not isinstance(member, ParamSpec):
                faults.append(_hides(owner, name))
            if name.startswith("on_") and inspect.isfunction(member):
                faults.extend(_check_callback(owner, name, member))
                if hidden and name in CALLBACKS:
                    faults.append(_never_called(cls, owner, name, member))
    return faults


def is_defined(cls: type[Strategy], name: str) -> bool:
    """True when the strategy defines a callback itself."""
    return getattr(cls, name) is not getattr(Strategy, name)


def _check_callback(owner: type, name: str, member: Any) -> list[Fault]:
    file, line = _place(member)
    if name not in CALLBACKS:
        mend = did_you_mean(name, CALLBACKS, what="callbacks")
        return [Fault("HB303", f"{owner.__name__} has {name}; no such callback. {_capital(mend)}", file, line)]
    if inspect.iscoroutinefunction(member) and name not in MAY_BE_ASYNC:
        message = (
            f"{owner.__name__}.{name} is async; market callbacks are plain functions: write def {name}(...), "
            "calls such as self.buy() return at once and need no await"
        )
        return [Fault("HB304", message, file, line)]
    if inspect.isgeneratorfunction(member) or inspect.isasyncgenfunction(member):
        message = f"{owner.__name__}.{name} contains yield, so its body would never run; take the yield out"
        return [Fault("HB304", message, file, line)]
    wanted = [_ARGUMENT[name]] if name in _ARGUMENT else []
    if not _takes(member, 1 + len(wanted)):
        arguments = ", ".join(["self", *wanted])
        return [Fault("HB303", f"{owner.__name__}.{name} must be def {name}({arguments})", file, line)]
    return []


def _hides(owner: type, name: str) -> Fault:
    file, line = _place_of_class(owner, name)
    message = f"{owner.__name__}.{name} hides what every strategy has under that name; call it something else"
    return Fault("HB303", message, file, line)


def _shared_by_all(owner: type, name: str, member: object) -> Fault:
    file, line = _place_of_class(owner, name)
    message = (
        f"{owner.__name__}.{name} = {member!r} is one object for every strategy of this class; make it in on_start: "
        f"self.{name} = ... (a constant is written in CAPITALS)"
    )
    return Fault("HB302", message, file, line, severity="warning")


def _place_of_class(owner: type, name: str) -> tuple[str | None, int | None]:
    """File and line of an assignment in a class body, as far as the source can be read."""
    try:
        lines, first = inspect.getsourcelines(owner)
        path = Path(inspect.getfile(owner))
    except (OSError, TypeError):
        return None, None
    begins = re.compile(rf"\s+(async\s+)?(def\s+)?{name}\b")
    line = next((first + at for at, text in enumerate(lines) if begins.match(text)), first)
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path), line


def _never_called(cls: type, owner: type, name: str, member: Any) -> Fault:
    file, line = _place(member)
    message = (
        f"{owner.__name__}.{name} is never called: Strategy comes before {owner.__name__} in {cls.__name__}; "
        f"write class {cls.__name__}({owner.__name__}, Strategy)"
    )
    return Fault("HB303", message, file, line)


def _takes(member: Any, count: int) -> bool:
    try:
        inspect.signature(member).bind(*[None] * count)
    except TypeError:
        return False
    return True


def _place(member: Any) -> tuple[str, int]:
    code = member.__code__
    path = Path(code.co_filename)
    if path.is_absolute() and path.is_relative_to(Path.cwd()):
        path = path.relative_to(Path.cwd())
    return str(path), code.co_firstlineno


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
