"""A config that a program has as a mapping, written as the text that a file would hold.

It then goes the way of every other config: the same strict reader, the same faults, with line and column of this text,
which is also the copy that a run keeps.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from pathlib import PurePath
from typing import Any

import yaml

from hbkit.errors import UsageError

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
_ENDLESS = 1 << 30


class _Dumper(yaml.SafeDumper):
    """Writes numbers as they are, and every text that could be taken for something else in quotes."""


def _decimal(dumper: yaml.SafeDumper, value: Decimal) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:float", str(value))


def _str(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
    style = None if _PLAIN.fullmatch(value) else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(Decimal, _decimal)
_Dumper.add_representer(str, _str)


def text_of(value: Any, *, flow: bool = False) -> str:
    """A mapping as a config's text, or with `flow` a value on one line, as `--set path=value` takes it.

    Besides what YAML knows there may be Decimals, numpy's numbers, dates and paths. Raises UsageError for the rest.
    """
    text: str = yaml.dump(
        _plain(value), Dumper=_Dumper, default_flow_style=flow, sort_keys=False, width=_ENDLESS, allow_unicode=True
    )
    return text.removesuffix("\n").removesuffix("\n...") + ("" if flow else "\n")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(below) for key, below in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(below) for below in value]
    if isinstance(value, date):  # a datetime is one too
        return value.isoformat()
    if isinstance(value, PurePath):
        return str(value)
    if type(value).__module__ == "numpy" and hasattr(value, "tolist"):
        return value.tolist()
    if value is None or isinstance(value, (bool, int, float, Decimal, str)):
        return value
    raise UsageError(f"a config holds numbers, texts, lists and mappings, not {type(value).__name__}: {value!r}"[:200])
