"""What a strategy did in a test, and assertions on it that explain themselves.

Each assertion returns what it found, and otherwise says what was looked for, what there was, and how the run ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from hbkit.model.instrument import Number
from hbkit.report.result import FillRow, OrderRow, RunResult
from hbkit.testing.contract.venue import Venue
from hbkit.trading.strategy import Strategy

LOGGED = 3
"""Lines of the log that are shown with a failure."""


@dataclass(frozen=True)
class Ran:
    """A run that is over."""

    result: RunResult
    """All of it, as `result.json` keeps it."""
    strategy: Strategy
    log: str
    """Lines of the log, from `info` up."""
    venue: Venue
    """Where it ran, as it was when the run ended: `orders()`, `executions()`, `positions()` in ticks and units."""

    @property
    def fills(self) -> Sequence[FillRow]:
        """In the order in which they happened."""
        return [row for row in self.result.fill_rows if row.kind == "trade"]

    @property
    def orders(self) -> Sequence[OrderRow]:
        """In the order in which they were placed."""
        return self.result.order_rows

    @property
    def position(self) -> float:
        """Quantity at the end, signed, of a run with one instrument; see `position_of` for the others.

        Raises ValueError where several instruments traded.
        """
        return self.position_of()

    def position_of(self, instrument: str = "", side: str = "") -> float:
        """Quantity at the end, signed; of one leg (`long`, `short`) in hedge mode, or of both together.

        Raises ValueError where several instruments traded and none is named.
        """
        names = sorted({row.instrument for row in self.fills})
        if not instrument and len(names) > 1:
            raise ValueError(f"{', '.join(names)} traded; ask for position_of one of them")
        instrument = instrument or "".join(names)
        rows = [row for row in self.fills if row.instrument == instrument and side in ("", row.position_side)]
        return _rounded(sum(float(row.qty) * (1 if row.side == "buy" else -1) for row in rows))

    # -- assertions

    def assert_fill(
        self,
        side: str = "",
        qty: Number | None = None,
        price: Number | None = None,
        *,
        instrument: str = "",
        liquidity: str = "",
        position_side: str = "",
    ) -> FillRow:
        """The first fill like this; AssertionError lists the fills there were."""
        __tracebackhide__ = True
        more = {"instrument": instrument, "liquidity": liquidity, "position_side": position_side}
        fits = [row for row in self.fills if _fits(row, side, qty, price, more)]
        return fits[0] if fits else self._missing("fill", self.fills, _wish(side, qty, price, more))

    def assert_order(
        self,
        side: str = "",
        qty: Number | None = None,
        price: Number | None = None,
        status: str = "",
        *,
        instrument: str = "",
        tag: str = "",
    ) -> OrderRow:
        """The first order like this; AssertionError lists the orders there were."""
        __tracebackhide__ = True
        more = {"status": status, "instrument": instrument, "tag": tag}
        fits = [row for row in self.orders if _fits(row, side, qty, price, more)]
        return fits[0] if fits else self._missing("order", self.orders, _wish(side, qty, price, more))

    def assert_rejected(self, reason: str = "") -> OrderRow:
        """The first order that was refused, by hbkit or by the exchange, with this text in the reason."""
        __tracebackhide__ = True
        refused = [row for row in self.orders if row.status == "rejected"]
        fits = [row for row in refused if reason in row.reason]
        return fits[0] if fits else self._missing("refused order", self.orders, reason or "any")

    def assert_no_fills(self) -> None:
        """Nothing filled."""
        __tracebackhide__ = True
        self._none("fill", self.fills)

    def assert_no_orders(self) -> None:
        """No order was placed."""
        __tracebackhide__ = True
        self._none("order", self.orders)

    def assert_position(self, qty: Number, instrument: str = "", side: str = "") -> None:
        """The quantity at the end, signed; AssertionError lists the fills that made it."""
        __tracebackhide__ = True
        came = self.position_of(instrument, side)
        if came != _rounded(float(qty)):
            what = " ".join(word for word in ("position", instrument, side) if word)
            self._fail(f"{what}: expected {float(qty):g}, came {came:g}\nit was made by:", "fill", self.fills)

    def assert_logged(self, text: str) -> str:
        """The first line of the log with this text; AssertionError shows the whole log."""
        __tracebackhide__ = True
        fits = [line for line in self.log.splitlines() if text in line]
        if not fits:
            raise AssertionError(f'no line of the log has "{text}"\nthere were:\n  ' + _indented(self.log))
        return fits[0]

    def assert_clean(self) -> None:
        """It ended well, no order was refused, nothing was warned of, and the money adds up."""
        __tracebackhide__ = True
        refused = [_words(row) for row in self.orders if row.status == "rejected"]
        warned = [line for line in self.log.splitlines() if "level=warning" in line or "level=error" in line]
        gaps = [f"the books miss {row.currency} by {row.gap}" for row in self.result.money if row.gap]
        ended = [f"it ended with {self._end}"] if self.result.exit_code else []
        faults = [*ended, *refused, *warned, *gaps]
        if faults:
            raise AssertionError("the run was not clean:\n  " + "\n  ".join(faults))

    # -- words

    @property
    def _end(self) -> str:
        return f"exit code {self.result.exit_code}: {self.result.stop_reason}"

    def _missing(self, what: str, rows: Sequence[FillRow | OrderRow], wish: str) -> NoReturn:
        __tracebackhide__ = True
        self._fail(f"no {what} like: {wish}\nthere were:", what, rows)

    def _none(self, what: str, rows: Sequence[FillRow | OrderRow]) -> None:
        __tracebackhide__ = True
        if rows:
            self._fail(f"expected no {what}\nthere were:", what, rows)

    def _fail(self, said: str, what: str, rows: Sequence[FillRow | OrderRow]) -> NoReturn:
        __tracebackhide__ = True
        there = "\n  ".join(_words(row) for row in rows) or f"no {what} at all"
        last = "\n".join(self.log.splitlines()[-LOGGED:])
        log = f"\nthe log ends with:\n  {_indented(last)}" if last else ""
        raise AssertionError(f"{said}\n  {there}\nthe run ended with {self._end}{log}")


def _fits(row: FillRow | OrderRow, side: str, qty: Number | None, price: Number | None, more: dict[str, str]) -> bool:
    same = all(wanted in ("", getattr(row, name)) for name, wanted in more.items())
    return same and side in ("", row.side) and _same(qty, row.qty) and _same(price, row.price)


def _same(wanted: Number | None, text: str) -> bool:
    return wanted is None or (text != "" and _rounded(float(wanted)) == _rounded(float(text)))


def _rounded(value: float) -> float:
    """Without what a sum of floats leaves behind."""
    return float(f"{value:.12g}") if abs(value) > 1e-12 else 0.0


def _wish(side: str, qty: Number | None, price: Number | None, more: dict[str, str]) -> str:
    words = [side, "" if qty is None else f"{qty}", "" if price is None else f"at {price}", *more.values()]
    return " ".join(word for word in words if word) or "any"


def _words(row: FillRow | OrderRow) -> str:
    price = f"at {row.price}" if row.price else "market"
    if isinstance(row, FillRow):
        leg = "" if row.position_side == "net" else f" {row.position_side}"
        return f"{row.side} {row.qty} {row.instrument}{leg} {price} ({row.liquidity}, {row.order_id})"
    reason = f": {row.reason}" if row.reason else ""
    return f"{row.side} {row.qty} {row.instrument} {price} {row.status}, {row.filled} filled ({row.id}){reason}"


def _indented(text: str) -> str:
    return "\n  ".join(text.splitlines())
