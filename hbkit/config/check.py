"""Turns the tree of a config into typed settings, and everything that does not fit into faults with a place.

The typed settings say what is wrong with one value; here it gets its key, its line and what was found there. What needs
two keys (HB105 to HB107) is looked at in the tree, so that it is reported beside all other faults and not after them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from hbkit.config import shapes
from hbkit.config.node import KeyPath, Node, Plain, child, find, given, path_text, plain, shown
from hbkit.config.settings import Section, Settings, implied_mode
from hbkit.errors import Faults, did_you_mean, nearest

_NEEDED = {
    "use": "the strategy to run, such as market_maker",
    "instruments": "a list such as [XBTUSD]",
    "symbol": "an instrument such as XBTUSD",
}
_KEY = "[key]"


def build_settings(root: Node, default_name: str, faults: Faults) -> Settings | None:
    """The settings of a tree; None if any value does not fit. `default_name` is the run's name if it has none."""
    _check_references(root, faults)
    try:
        return Settings.model_validate(_with_run_name(plain(root), default_name))
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            _report(detail, root, faults)
        return None


def report(faults: Faults, code: str, message: str, node: Node, *, at_key: bool = False) -> None:
    """Record a fault at a node: at its value, or at its key."""
    place = node.key if at_key and node.key is not None else node.place
    faults.add(code, message, file=place.file, line=place.line, column=place.column)


def _with_run_name(values: Plain, default_name: str) -> Plain:
    if not isinstance(values, dict):
        return values
    run = values.get("run")
    if run is None:
        run = {}
    if isinstance(run, dict) and run.get("name") is None:
        return {**values, "run": {**run, "name": default_name}}
    return values


def _report(detail: ErrorDetails, root: Node, faults: Faults) -> None:
    path: KeyPath = detail["loc"]
    context: dict[str, Any] = detail.get("ctx", {})
    is_name = path[-1:] == (_KEY,) and detail["type"] == shapes.SHAPE
    path = path[:-1] if is_name else (*path, *context.get("at", ()))
    node, exact = find(root, path)
    if node.faulty and detail["type"] != "extra_forbidden":
        return
    if detail["type"] == "extra_forbidden":
        report(faults, "HB101", _unknown(path), node, at_key=True)
    elif detail["type"] == "missing":
        report(faults, "HB103", f"{path_text(path[:-1])} needs {path[-1]}: {_needed(path)}", node)
    elif is_name:
        message = f'"{shown(str(path[-1]))}" in {path_text(path[:-1])} must be {context.get("expected")}'
        report(faults, "HB103", message, node, at_key=True)
    else:
        found = given(node, path) if exact else "something else"
        mend = f"; {context['mend']}" if context.get("mend") else ""
        expected = context.get("expected", "of another kind")
        report(faults, "HB103", f"{path_text(path)} must be {expected}, got {found}{mend}", node)


def _needed(path: KeyPath) -> str:
    return "the name of a notifier" if path[0] == "notify" else _NEEDED[str(path[-1])]


def _unknown(path: KeyPath) -> str:
    key, section = str(path[-1]), _section_at(path[:-1])
    where = f" in {path_text(path[:-1])}" if len(path) > 1 else ""
    known = [name for name, _ in _keys(section)]
    mend = did_you_mean(key, known, what="keys here")
    if nearest(key, known) is None:
        # A key may be right and only stand too high: `leverage` belongs in `margin`.
        below: dict[str, str] = {}
        for name, dotted in _keys_below(section, ""):
            below.setdefault(name, dotted)
        close = nearest(key, below)
        mend = f'did you mean "{below[close]}"?' if close is not None else mend
    return f'unknown key "{shown(key)}"{where}; {mend}'


def _keys(section: type[BaseModel]) -> Iterator[tuple[str, Any]]:
    """The keys of a block and their types."""
    for name, info in section.model_fields.items():
        yield info.alias or name, info.annotation


def _block(annotation: Any) -> tuple[type[BaseModel] | None, str]:
    """The block that a key holds, and what stands between the two: a name, a number or nothing."""
    if get_origin(annotation) in (dict, tuple):
        for kind in get_args(annotation):
            if isinstance(kind, type) and issubclass(kind, Section):
                return kind, ".NAME" if get_origin(annotation) is dict else "[0]"
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation, ""
    return None, ""


def _keys_below(section: type[BaseModel], prefix: str) -> Iterator[tuple[str, str]]:
    """Every key under a block with its path, the highest first."""
    blocks = [(key, *_block(annotation)) for key, annotation in _keys(section)]
    for key, block, between in blocks:
        if block is not None:
            yield from ((name, f"{prefix}{key}{between}.{name}") for name, _ in _keys(block))
    for key, block, between in blocks:
        if block is not None:
            yield from _keys_below(block, f"{prefix}{key}{between}.")


def _section_at(path: KeyPath) -> type[BaseModel]:
    """The class of the block at a path that leads to one."""
    section: type[BaseModel] = Settings
    parts = iter(path)
    for part in parts:
        block, between = _block(dict(_keys(section))[str(part)])
        assert block is not None
        if between:
            next(parts, None)
        section = block
    return section


def _check_references(root: Node, faults: Faults) -> None:
    """Names that must agree with each other: HB105, HB106, HB107."""
    block = child(root, "exchanges")
    exchanges = {} if block is None or block.value is None else block.value
    if isinstance(exchanges, dict):
        _check_implied_modes(exchanges, faults)
    strategies = child(root, "strategies")
    if strategies is None or not isinstance(strategies.value, list):
        return
    _check_unique_names(strategies.value, faults)
    if isinstance(exchanges, dict):
        for index, strategy in enumerate(strategies.value):
            _check_exchanges_of(strategy, f"strategies[{index}]", exchanges, faults)


def _check_implied_modes(exchanges: dict[str, Node], faults: Faults) -> None:
    for name, exchange in exchanges.items():
        implied, mode = implied_mode(name), child(exchange, "mode")
        if implied is None or mode is None or mode.value in (None, implied) or mode.faulty:
            continue
        where = path_text(("exchanges", name))
        found = given(mode, ("mode",))
        message = f"{where} has mode {implied} by its name, but its key mode is {found}; remove mode or rename it"
        report(faults, "HB105", message, mode)


def _check_unique_names(strategies: Iterable[Node], faults: Faults) -> None:
    seen: dict[str, int] = {}
    for index, strategy in enumerate(strategies):
        node, name = _name_of(strategy)
        if node is None or name is None:
            continue
        if name in seen:
            message = f'strategies[{index}] has the name "{shown(name)}", as strategies[{seen[name]}] has; '
            report(faults, "HB106", message + "give one of them another name", node)
        seen.setdefault(name, index)


def _name_of(strategy: Node) -> tuple[Node | None, str | None]:
    """The name of a strategy and the node that says it."""
    name, use = child(strategy, "name"), child(strategy, "use")
    if name is not None and name.value is not None:
        return name, text_of(name)
    used = text_of(use)
    return use, None if used is None else shapes.derived_name(used, "strategy")


def text_of(node: Node | None) -> str | None:
    """A node's text where it is one, as the typed settings would take it."""
    if node is None or node.faulty or isinstance(node.value, (dict, list, bool)):
        return None
    return node.filled if node.filled is not None else node.value if isinstance(node.value, str) else None


def _check_exchanges_of(strategy: Node, where: str, exchanges: dict[str, Node], faults: Faults) -> None:
    if not isinstance(strategy.value, dict):
        return
    chosen = child(strategy, "exchange")
    if chosen is None or chosen.value is None:
        if not exchanges:
            report(faults, "HB107", f"{where} has no exchange to trade on; add one under exchanges", strategy)
        elif len(exchanges) > 1:
            names = ", ".join(shown(name) for name in sorted(exchanges))
            report(faults, "HB107", f"{where} needs exchange: one of {names}", strategy)
    else:
        _check_exchange(chosen, f"{where}.exchange", exchanges, faults)
    instruments = child(strategy, "instruments")
    for index, item in enumerate(instruments.value if instruments and isinstance(instruments.value, list) else ()):
        other = child(item, "exchange")
        if other is not None and other.value is not None:
            _check_exchange(other, f"{where}.instruments[{index}].exchange", exchanges, faults)


def _check_exchange(node: Node, where: str, exchanges: dict[str, Node], faults: Faults) -> None:
    name = text_of(node)
    if name is None or not name.strip() or name in exchanges:
        return
    found = shown(node.written) if node.filled is not None else shown(name)
    mend = did_you_mean(name, exchanges, what="exchanges here")
    report(faults, "HB107", f'{where}: no exchange "{found}" in this config; {mend}', node)
