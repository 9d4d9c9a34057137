"""Round trips: the fills of a run cut into stretches from flat to flat, per instrument and leg.

A trip begins with the fill that leaves flat and ends with the one that comes back to it. A fill through zero ends one
trip and begins the next; its fee is shared by quantity, its realized profit belongs to the trip it ends. Holdings that
were there before the first fill are not known here and count as flat.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from hbkit.report.result import FillRow

ZERO = Decimal(0)


@dataclass
class Trip:
    """One stretch out of flat; `closed` is None while it lasts, amounts are whole currency."""

    instrument: str
    opened: int
    closed: int | None = None
    realized: Decimal = ZERO
    paid: Decimal = ZERO
    """Fees and funding, positive when paid."""

    @property
    def net(self) -> Decimal:
        """Profit after fees and funding."""
        return self.realized - self.paid


def number(text: str) -> Decimal:
    """Decimal text as a number; empty text, which stands for unknown, is 0."""
    return Decimal(text) if text else ZERO


def is_trade(row: FillRow) -> bool:
    """True where quantity changed hands, False for a funding and for what an insurance fund pays."""
    return row.kind not in ("funding", "insurance")


def trips(rows: Iterable[FillRow]) -> list[Trip]:
    """All trips in the order in which they began; the last of an instrument may still be open."""
    books: dict[tuple[str, str, str], _Book] = {}
    found: list[Trip] = []
    for row in rows:
        book = books.setdefault((row.exchange, row.instrument, row.position_side), _Book(found))
        book.apply(row)
    return found


class _Book:
    """The holding of one instrument and leg, and the trip it is on."""

    def __init__(self, found: list[Trip]) -> None:
        self._found = found
        self._held = ZERO
        self._trip: Trip | None = None

    def apply(self, row: FillRow) -> None:
        fee = number(row.fee)
        if not is_trade(row):
            if self._trip is not None:
                self._trip.paid += fee
            return
        qty = number(row.qty)
        if not qty:
            return
        change = qty if row.side == "buy" else -qty
        closing = min(qty, abs(self._held)) if self._held * change < 0 else ZERO
        if closing:
            self._change(row, closing.copy_sign(change), fee * closing / qty)
        if qty > closing:
            self._change(row, (qty - closing).copy_sign(change), fee * (qty - closing) / qty, realizes=not closing)

    def _change(self, row: FillRow, change: Decimal, fee: Decimal, *, realizes: bool = True) -> None:
        if self._trip is None:
            self._trip = Trip(row.instrument, row.ts)
            self._found.append(self._trip)
        self._held += change
        self._trip.paid += fee
        if realizes:
            self._trip.realized += number(row.realized)
        if not self._held:
            self._trip.closed = row.ts
            self._trip = None
