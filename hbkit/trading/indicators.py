"""Indicators that follow a market's closed candles: `self.ema = self.indicator(EMA, 20)`.

Any object with `add(value)` that can be read like a list will do; those of talipp (extra `indicators`) may be named by
their text as well. Each is fed with every candle that is known, then with each that closes, before `on_candle`: the
same values in every mode.

talipp keeps every input for ever; what no value needs any more is taken from it, so that a run of weeks does not grow.
"""

from __future__ import annotations

import inspect
import sys
import typing
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

from hbkit.errors import StrategyError, did_you_mean
from hbkit.model import Candle

Source = str | Callable[[Candle], Any]
MEND = 'pip install "hbkit-core[indicators]"'
_LIBRARY = "talipp"
KEPT = 10_000
"""Values of an indicator that can be read at least; up to twice as many before the older half goes."""
_NEEDED = 4
"""How many times as many inputs are kept as it took to the first value, should that be more."""


def _ohlcv(candle: Candle) -> Any:
    made: Callable[..., Any] = import_module(f"{_LIBRARY}.ohlcv").OHLCV
    return made(candle.open, candle.high, candle.low, candle.close, candle.volume)


SOURCES: dict[str, Callable[[Candle], Any]] = {
    "close": lambda candle: candle.close,
    "open": lambda candle: candle.open,
    "high": lambda candle: candle.high,
    "low": lambda candle: candle.low,
    "volume": lambda candle: candle.volume,
    "hl2": lambda candle: (candle.high + candle.low) / 2,
    "hlc3": lambda candle: (candle.high + candle.low + candle.close) / 3,
    "ohlc4": lambda candle: (candle.open + candle.high + candle.low + candle.close) / 4,
    "ohlcv": _ohlcv,
}
"""What `source=` may be, besides a function of the candle."""


class Indicator:
    """An indicator's values so far; one that has seen too little has none yet.

    `value` is the newest or None, `ema[-2]` the one before or None, `len(ema)` how many there are, `ready` whether
    there is one. `raw` is the library's own object.
    """

    __slots__ = ("_held", "_most", "_read", "raw")

    def __init__(self, raw: Any, read: Callable[[Candle], Any]) -> None:
        self.raw = raw
        self._read = read
        self._held = len(raw)
        self._most = 2 * KEPT if _can_forget(raw) else sys.maxsize

    @property
    def value(self) -> Any:
        """The newest value, a number or the library's record of several; None before the first."""
        return self.raw[-1] if len(self.raw) else None

    @property
    def ready(self) -> bool:
        """Whether there is a value."""
        return self.value is not None

    def __len__(self) -> int:
        """How many values are kept; those that an indicator had to wait for are not counted."""
        return sum(value is not None for value in self.raw)

    def __bool__(self) -> bool:
        """As `ready`: an indicator is no empty list."""
        return self.ready

    def __getitem__(self, index: int) -> Any:
        """Counted from the newest: -1 is the value at the last close; None where there is none yet."""
        if not isinstance(index, int) or index >= 0:
            raise StrategyError(f"indicator[{index!r}]: count from the newest, -1 is the last value", code="HB305")
        return self.raw[index] if -index <= len(self.raw) else None

    def __repr__(self) -> str:
        return f"{type(self.raw).__name__}({self.value})"

    def update(self, candle: Candle) -> None:
        """A candle closed."""
        self.raw.add(self._read(candle))
        self._held += 1
        if self._held > self._most:
            self._forget()

    def _forget(self) -> None:
        """Let go of inputs that no later value needs."""
        waited = next((at for at, value in enumerate(self.raw) if value is not None), self._held)
        keep = max(self._most // 2, _NEEDED * waited)
        self._most = 2 * keep
        if self._held > self._most:
            self.raw.purge_oldest(self._held - keep)
            self._held = keep


def make(what: Any, arguments: Sequence[Any], options: dict[str, Any], source: Source | None) -> Indicator:
    """An indicator from a class, an object or a name. Raises StrategyError with the mend for what cannot be one."""
    raw = _raw(what, arguments, options)
    if not (callable(getattr(raw, "add", None)) and hasattr(raw, "__getitem__") and hasattr(raw, "__len__")):
        raise StrategyError(
            f"indicator({what!r}): an indicator takes values by add() and is read like a list; take one of "
            "talipp.indicators, or write a class with add, __getitem__ and __len__",
            code="HB305",
        )
    return Indicator(raw, _reader(type(raw), source))


def _raw(what: Any, arguments: Sequence[Any], options: dict[str, Any]) -> Any:
    made = _named(what) if isinstance(what, str) else what
    if not callable(made):
        if arguments or options:
            raise StrategyError(
                f"indicator({what!r}) is an object already and takes no arguments; hand the class over", code="HB305"
            )
        return made
    try:
        return made(*arguments, **options)
    except TypeError as error:
        raise StrategyError(f"indicator {getattr(made, '__name__', made)}: {error}", code="HB305") from error


def _named(name: str) -> Any:
    try:
        library = import_module(f"{_LIBRARY}.indicators")
    except ModuleNotFoundError:
        message = f'indicator("{name}") needs {_LIBRARY}, which is not installed; {MEND}'
        raise StrategyError(message, code="HB305") from None
    found = getattr(library, name, None)
    if not isinstance(found, type):
        known = [one for one, member in vars(library).items() if isinstance(member, type) and one != "Indicator"]
        raise StrategyError(f'no indicator "{name}"; {did_you_mean(name, known, what="indicators")}', code="HB305")
    return found


def _reader(cls: type, source: Source | None) -> Callable[[Candle], Any]:
    """What of a candle an indicator is fed with: what was asked for, else what its class says that it takes."""
    if callable(source):
        return source
    wanted = source or ("ohlcv" if _takes_ohlcv(cls) else "close")
    if wanted not in SOURCES:
        mend = did_you_mean(wanted, SOURCES, what="sources")
        raise StrategyError(f'indicator source "{wanted}"; {mend}', code="HB305")
    return SOURCES[wanted]


def _can_forget(raw: Any) -> bool:
    """Whether it is one of talipp's that purges; two of them refuse, and count from their first input."""
    module = sys.modules.get(f"{_LIBRARY}.indicators.Indicator")
    return module is not None and getattr(type(raw), "purge_oldest", None) is module.Indicator.purge_oldest


def _takes_ohlcv(cls: type) -> bool:
    """talipp says by a type hint whether an indicator takes single numbers or whole candles."""
    try:
        taken = inspect.signature(cls).parameters.get("input_values")
    except ValueError:  # a class of C code
        return False
    inside = typing.get_args(taken.annotation) if taken is not None else ()
    return any(getattr(one, "__name__", "") == "OHLCV" for one in inside)
