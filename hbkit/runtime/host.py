"""One strategy in a run: calls it, catches what it raises, and says where in its file that was."""

from __future__ import annotations

import asyncio
import dis
import inspect
import sys
import traceback
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from hbkit.clock import iso
from hbkit.errors import HbkitError, StrategyError, nearest
from hbkit.model import Instrument
from hbkit.trading.contract import is_defined
from hbkit.trading.strategy import Desk, Strategy
from hbkit.trading.trader import Trader

_PACKAGE = str(Path(__file__).resolve().parent.parent)
_TIMES = frozenset({"ts", "open_time", "close_time", "next_time"})
RAISED = (Exception, SystemExit, KeyboardInterrupt, GeneratorExit, asyncio.CancelledError)
"""What user code may raise without ending the program: it is logged, counted, and the policy decides."""
_LIBRARY = str(Path(asyncio.__file__).parent)


class Host:
    """Holds a strategy, its desk and its fate. `stopped` strategies hear nothing more."""

    def __init__(
        self, strategy: Strategy, trader: Trader, *, keep_going: bool, on_failed: Callable[[Host], None]
    ) -> None:
        self.strategy = strategy
        self.trader = trader
        self.name = trader.strategy
        self.stopped = False
        self.began = True
        """False before on_start where there is something to wait for before it: nothing is heard until then."""
        self.warmup = 0
        """Candles of each row that are to be known before on_start."""
        self.failures = 0
        self.failure: StrategyError | None = None
        self._keep_going = keep_going
        self._on_failed = on_failed

    @property
    def desk(self) -> Desk:
        """What the strategy works with."""
        return self.strategy._desk

    def defines(self, callback: str) -> bool:
        """True when the strategy defines a callback itself."""
        return is_defined(type(self.strategy), callback)

    def call(self, callback: str, *event: Any) -> None:
        """Call a callback that the strategy defines; what it raises is treated by the policy."""
        if self.stopped or not self.began or not self.defines(callback):
            return
        try:
            getattr(self.strategy, callback)(*event)
        except RAISED as error:
            self.failed(callback, event[0] if event else None, error)

    def call_whole(self, callback: str) -> None:
        """Call on_start or on_stop, also when it is async; it may not wait for anything here."""
        if not self.defines(callback):
            return
        try:
            result = getattr(self.strategy, callback)()
            if hasattr(result, "send"):
                self._drive(callback, result)
        except RAISED as error:
            self.failed(callback, None, error)

    async def wait(self, callback: str) -> None:
        """Call on_start or on_stop where there is something to wait for."""
        if not self.defines(callback):
            return
        try:
            result = getattr(self.strategy, callback)()
            if inspect.isawaitable(result):
                await result
        except RAISED as error:
            self.failed(callback, None, error)

    def guard(self, callback: str, call: Callable[[], None]) -> Callable[[], None]:
        """`call` with the same treatment of errors, silent once the strategy is stopped."""

        def guarded() -> None:
            if self.stopped:
                return
            try:
                call()
            except RAISED as error:
                self.failed(callback, None, error)

        return guarded

    def failed(self, callback: str, event: Any, error: BaseException) -> None:
        """Record a failure, tell `on_error`, and stop the strategy unless it may go on.

        A Ctrl-C, or the end of the task, that reaches user code by chance is none of its failures and goes up.
        """
        if not isinstance(error, (Exception, SystemExit)) and not _is_raised_by_hand(error):
            raise error
        self.failures += 1
        self.failure = StrategyError(f"strategy {self.name}: {told(type(self.strategy), callback, event, error)}")
        self.failure.__cause__ = error
        if self.defines("on_error") and callback != "on_error":
            self.call("on_error", error)
        if not self._keep_going:
            self.stopped = True
        self._on_failed(self)

    def _drive(self, callback: str, coroutine: Any) -> None:
        try:
            coroutine.send(None)
        except StopIteration:
            return
        except RuntimeError as error:
            if str(error) != "no running event loop":
                raise
        finally:
            coroutine.close()
        raise StrategyError(
            f"{callback} waits for something that takes time; there is nothing to wait for in replay: "
            "use self.every or self.at",
            code="HB304",
        )


def _is_raised_by_hand(error: BaseException) -> bool:
    """Whether there is a `raise` where it comes from; a signal comes between any two instructions."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return False
    code = trace.tb_frame.f_code
    raising = dis.opname[code.co_code[trace.tb_lasti]] == "RAISE_VARARGS"
    return raising and not code.co_filename.startswith(_LIBRARY)


def told(cls: type, callback: str, event: Any, error: BaseException) -> str:
    """What a callback of `cls` raised, where in the user's file, and on what event, in one line."""
    what = error.message if isinstance(error, HbkitError) else f"{type(error).__name__}: {error}"
    if isinstance(error, AttributeError) and isinstance(error.obj, Strategy) and error.name:
        close = nearest(error.name, [name for name in dir(error.obj) if not name.startswith("_")])
        what += f'; did you mean "{close}"?' if close is not None else ""
    place = _place(cls, callback, error.__traceback__)
    about = f" at {place}" if place else ""
    during = f" on {_event(event)}" if event is not None else ""
    return f"{what}{about} in {callback}{during}"


def _event(event: Any) -> str:
    """An event in one short line: an instrument by its symbol, a time as people write it."""
    if isinstance(event, Exception):
        return repr(event)
    if not isinstance(event, msgspec.Struct):
        return str(event) if isinstance(event, str) else type(event).__name__
    parts = []
    for name in event.__struct_fields__:
        value = getattr(event, name)
        if name in _TIMES and isinstance(value, int):
            value = iso(value)
        elif not isinstance(value, Instrument | StrEnum):
            value = repr(value)
        parts.append(f"{name}={value}")
    return f"{type(event).__name__}({', '.join(parts)})"


def _place(cls: type, callback: str, trace: TracebackType | None) -> str:
    """File and line of the deepest frame in the strategy's own file, else in any file that is not hbkit's."""
    frames = [frame for frame in traceback.extract_tb(trace) if not frame.filename.startswith(_PACKAGE)]
    code = getattr(getattr(cls, callback, None), "__code__", None)
    file = getattr(sys.modules.get(cls.__module__), "__file__", None)
    own = [frame for frame in frames if frame.filename == file]
    if own or frames:
        return shown((own or frames)[-1].filename, (own or frames)[-1].lineno)
    # A coroutine that only waits leaves no frame: its first line is the next best.
    return shown(code.co_filename, code.co_firstlineno) if code is not None else ""


def shown(file: str, line: int | None) -> str:
    """A place in a file, from the current folder where it lies in there."""
    path = Path(file)
    if path.is_absolute() and path.is_relative_to(Path.cwd()):
        path = path.relative_to(Path.cwd())
    return f"{path}:{line}"
