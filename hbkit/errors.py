"""Every error that hbkit raises on purpose, in one tree, so that a user can catch one base class.

    HbkitError                      exit 1
    |-- ConfigError                 exit 2   the user can mend it: config, command line, data file, strategy file
    |   |-- UsageError              exit 2   the command line itself
    |   |-- PluginError             exit 2   a plugin that is missing, broken or misspelt
    |   |-- DataError               exit 2   a data file: line, cause, mend
    |   `-- StateError              exit 2   the state file cannot be read or written
    |-- AlreadyRunning              exit 3   another process owns the state file
    |-- ExchangeError               exit 4   what the venue said
    |   |-- AuthenticationError
    |   |-- OrderRejected
    |   |-- RateLimited
    |   |-- Unsupported                      the exchange does not declare that capability
    |   `-- WireError                        what the wire did
    |       |-- Disconnected
    |       `-- Timeout
    |-- StrategyError               exit 5   user code raised, or used the API in a way that cannot work
    `-- RiskStop                    exit 6   a risk limit ended the run

A message says what, where and the mend: `error[HB101] demo.yaml:14:5 unknown key "levrage"; did you mean "leverage"?`
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong in something the user wrote: code, place (line and column from 1), cause and mend."""

    code: str
    message: str
    file: str | None = None
    line: int | None = None
    column: int | None = None
    severity: str = "error"

    @property
    def place(self) -> str:
        """`file:line:column` as far as it is known, else the empty text."""
        parts = [str(part) for part in (self.file, self.line, self.column) if part is not None]
        return ":".join(parts) if self.file is not None else ""

    def __str__(self) -> str:
        place = f" {self.place}" if self.place else ""
        return f"{self.severity}[{self.code}]{place} {self.message}"


class HbkitError(Exception):
    """Base of all; `code` is stable, `exit_code` is what the command line leaves with."""

    code: str = "HB000"
    exit_code: int = 1

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code

    def __str__(self) -> str:
        return f"error[{self.code}] {self.message}"


class ConfigError(HbkitError):
    """Faults of a config, a strategy or a data file; carries all that were found, in the order of the file."""

    code = "HB100"
    exit_code = 2

    def __init__(self, message: str | Sequence[Fault], *, code: str | None = None) -> None:
        if isinstance(message, str):
            self.faults: list[Fault] = [Fault(code or type(self).code, message)]
        else:
            self.faults = list(message)
        super().__init__("; ".join(fault.message for fault in self.faults), code=code or self.faults[0].code)

    def __str__(self) -> str:
        lines = [str(fault) for fault in self.faults]
        errors = sum(fault.severity == "error" for fault in self.faults)
        if errors > 1:
            lines.append(f"{errors} errors, nothing was started")
        return "\n".join(lines)


class UsageError(ConfigError):
    """The command line asks for something that does not exist."""

    code = "HB001"


class PluginError(ConfigError):
    """A plugin is missing, broken, misspelt or offered twice."""

    code = "HB201"


class DataError(ConfigError):
    """A data file cannot be used: which file, which line, why."""

    code = "HB501"


class StateError(ConfigError):
    """The state file cannot be read or written."""

    code = "HB601"


class AlreadyRunning(HbkitError):
    """Another process owns the state file."""

    code = "HB440"
    exit_code = 3


class ExchangeError(HbkitError):
    """What the venue said."""

    code = "HB400"
    exit_code = 4


class AuthenticationError(ExchangeError):
    """The venue refused the key, the signature or the clock."""

    code = "HB430"


class OrderRejected(ExchangeError):
    """The venue refused an order; `order_id` is our client order id, the text is the venue's."""

    code = "HB411"

    def __init__(self, message: str, *, order_id: str = "", code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.order_id = order_id


class RateLimited(ExchangeError):
    """The venue asks to wait; `retry_after` in seconds."""

    code = "HB433"

    def __init__(self, message: str, *, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unsupported(ExchangeError):
    """The exchange does not declare this capability; refused before it reaches the wire."""

    code = "HB414"


class WireError(ExchangeError):
    """What the wire did; it says nothing of what became of an order."""

    code = "HB432"


class Disconnected(WireError):
    """The connection is gone."""


class Timeout(WireError):
    """No answer in time. Absence of an answer never becomes a fact."""


class StrategyError(HbkitError):
    """User code raised, or used the API in a way that cannot work."""

    code = "HB310"
    exit_code = 5


class RiskStop(HbkitError):
    """A risk limit ended the run."""

    code = "HB620"
    exit_code = 6


@dataclass
class Faults:
    """Collects faults so that a user sees all of them at once; `check()` raises if an error is among them."""

    found: list[Fault] = field(default_factory=list)

    def add(
        self,
        code: str,
        message: str,
        *,
        file: str | None = None,
        line: int | None = None,
        column: int | None = None,
        severity: str = "error",
    ) -> None:
        """Record one fault."""
        self.found.append(Fault(code, message, file, line, column, severity))

    def check(self) -> None:
        """Raise ConfigError with everything found, in the order of the file, if any of it is an error."""
        if any(fault.severity == "error" for fault in self.found):
            self.found.sort(key=lambda fault: (fault.file or "", fault.line or 0, fault.column or 0))
            raise ConfigError(self.found)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that `name` most likely means, or None; case is ignored first."""
    names = list(known)
    for candidate in names:
        if candidate.lower() == name.lower():
            return candidate
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    return close[0] if close else None


LISTED_MOST = 24
"""Names in one message."""


def did_you_mean(name: str, known: Iterable[str], *, what: str = "known") -> str:
    """The mend for a misspelt name: the nearest one, else the list, as far as a line of it is of use."""
    names = sorted(known)
    close = nearest(name, names)
    if close is not None:
        return f'did you mean "{close}"?'
    if len(names) > LISTED_MOST:
        return f"{what}: {', '.join(names[:LISTED_MOST])} and {len(names) - LISTED_MOST} more"
    return f"{what}: {', '.join(names)}" if names else f"{what}: none"
