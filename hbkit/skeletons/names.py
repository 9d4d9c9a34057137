"""The names that one name leads to: of the file, the class, the package and the distribution; and which may not be."""

from __future__ import annotations

import builtins
import keyword
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from hbkit.errors import UsageError

LONGEST = 40
_NAME = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
_PROJECT = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_TAKEN = frozenset(
    {"Balance", "Candle", "Capabilities", "Channel", "Connection", "Exchange", "ExchangeSpec", "Fill", "Funding"}
    | {"Instrument", "Listener", "Mark", "Order", "OrderBook", "Param", "Position", "PositionMode", "Quote", "Side"}
    | {
        "Strategy",
        "Trade",
        "Wallet",
        "Link",
        "Lost",
        "LostAnswer",
        "Stream",
        "Wire",
        "Row",
        "Any",
        "Backoff",
        "Contract",
    }
    | {"Mapping", "Coroutine", "Venue", "ServedVenue", "Address", "Refused"}
)
"""What the skeletons import: a class of that name would hide it."""


@dataclass(frozen=True)
class Named:
    """A name that holds: `dip_buyer`, and what follows from it."""

    name: str
    """Of the file, and what users write in a config."""

    @property
    def cls(self) -> str:
        """`DipBuyer`."""
        return "".join(part.capitalize() for part in self.name.split("_"))

    @property
    def package(self) -> str:
        """`hbkit_dip_buyer`."""
        return f"hbkit_{self.name}"

    @property
    def distribution(self) -> str:
        """`hbkit-dip-buyer`."""
        return self.package.replace("_", "-")


def named(text: str, what: str, installed: Mapping[str, str]) -> Named:
    """The names that `text` leads to. Raises UsageError with a name that would do.

    :param what: `strategy` or `exchange`, for the message.
    :param installed: names that users can write already, and the distribution of each.
    """
    if _NAME.fullmatch(text) is None or len(text) > LONGEST:
        _refuse(what, text, f"lower case letters, digits and _, at most {LONGEST}", _plain(text))
    if keyword.iskeyword(text) or keyword.issoftkeyword(text):
        _refuse(what, text, "it is a word of Python", f"my_{text}")
    found = Named(text)
    if text.startswith("test_") or text == "conftest":
        _refuse(what, text, "pytest would take it for a test", f"my_{text.removeprefix('test_')}")
    if found.cls in _TAKEN or hasattr(builtins, found.cls):
        _refuse(what, text, f"the class {found.cls} would hide the one of that name", f"my_{text}")
    if text in sys.stdlib_module_names or text == "hbkit":
        _refuse(what, text, "a module of Python has this name", f"my_{text}")
    if text in installed:
        _refuse(what, text, f"{installed[text]} offers that name, and a config would mean that one", f"my_{text}")
    return found


def project_named(text: str) -> str:
    """The name of a project's folder. Raises UsageError."""
    if _PROJECT.fullmatch(text) is None or len(text) > LONGEST:
        expected = f"letters, digits, _, - and ., at most {LONGEST}, in the current folder"
        _refuse("project", text, expected, _plain(text))
    return text


def _refuse(what: str, text: str, why: str, mend: str) -> None:
    shown = text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."
    raise UsageError(f'"{shown}" is no name for a {what}: {why}; try {mend}'.replace("a exchange", "an exchange"))


def _plain(text: str) -> str:
    """The nearest name that would do: `MyFirst` and `my-first` are `my_first`."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text.removesuffix(".py"))
    plain = re.sub(r"[^a-z0-9]+", "_", parted.lower()).strip("_")[:LONGEST].strip("_")
    if not plain:
        return "my_first"
    return plain if plain[0].isalpha() and not keyword.iskeyword(plain) else f"my_{plain}"[:LONGEST].strip("_")
