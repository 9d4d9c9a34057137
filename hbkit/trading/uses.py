"""Which sorts of orders a strategy uses, read from its source: what an exchange has to offer before it runs there.

Options are read where `buy`, `sell`, `quote` and their like are called. What stands there as a plain value, or as one
of the strategy's parameters, is certain; what is worked out while it runs may be used.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from hbkit.trading.feeds import code_of

_ORDERS = frozenset({"buy", "sell"})
_TRIGGERS = frozenset({"trigger_price", "trigger_by", "trigger_kind", "trail"})
_UNKNOWN = object()


def used(cls: type, base: type, values: Mapping[str, Any]) -> dict[str, bool]:
    """Fields of `Capabilities`, and `time_in_force NAME`, that orders of `cls` need: True where that is certain.

    :param values: the strategy's parameters.
    """
    found: dict[str, bool] = {}
    for call in _calls(cls, base):
        for name, certain in _needs(call, values):
            found[name] = found.get(name, False) or certain
    return found


def _needs(call: ast.Call, values: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    options = {one.arg: _value(one.value, values) for one in call.keywords if one.arg is not None}
    if name in _ORDERS:
        yield from _switches(options, "post_only", "reduce_only")
        if any(options.get(one) is not None for one in _TRIGGERS):
            yield "triggers", True  # who works a price out has one in mind
        if options.get("display_qty") is not None:
            yield "display_qty", True
        tif = options.get("time_in_force")
        if isinstance(tif, str):
            yield f"time_in_force {str(tif).lower()}", True
    elif name == "quote":
        yield from _switches({"post_only": True, **options}, "post_only")
    elif name == "amend":
        yield "amend", True
    elif name == "set_leverage":
        yield "leverage", True
    elif name == "set_position_mode":
        mode = _value(call.args[0], values) if call.args else options.get("mode")
        if mode == "hedge":
            yield "hedge_mode", True


def _switches(options: Mapping[str, Any], *names: str) -> Iterator[tuple[str, bool]]:
    for name in names:
        value = options.get(name, False)
        if value:
            yield name, value is not _UNKNOWN


def _value(node: ast.expr, values: Mapping[str, Any]) -> Any:
    """What an expression is before anything runs: a plain value, a parameter, the member of an enumeration."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        if node.value.id == "self":
            return values.get(node.attr, _UNKNOWN)
        if node.attr.isupper():
            return node.attr.lower()
    return _UNKNOWN


def _calls(cls: type, base: type) -> Iterator[ast.Call]:
    wanted: dict[str, set[int]] = {}
    for code in code_of(cls, base):
        wanted.setdefault(code.co_filename, set()).add(code.co_firstlineno)
    for file, lines in wanted.items():
        for function in _functions(file):
            if _first_line(function) in lines:
                yield from (node for node in ast.walk(function) if isinstance(node, ast.Call))


@cache
def _functions(file: str) -> tuple[ast.FunctionDef | ast.AsyncFunctionDef, ...]:
    """Every function of a file; none where there is no source, as in a notebook's cell."""
    try:
        tree = ast.parse(Path(file).read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError):
        return ()
    return tuple(node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def _first_line(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Where its code begins: at the first decorator."""
    return min([function.lineno, *(one.lineno for one in function.decorator_list)])
