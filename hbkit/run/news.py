"""What a run tells while it goes on: a line for each order that is placed or ends, and for each fill.

The lines go to the log, and the newest are kept for a view. What the report will show is kept as in every run.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from hbkit.log import get_logger
from hbkit.model import Execution, ExecutionKind, Instrument, Order, OrderStatus
from hbkit.runtime.host import Host
from hbkit.runtime.record import Recorder

LOGGER = "run"
KEPT = 200


class Item(NamedTuple):
    """One thing that happened; `kind` says how it is to be shown."""

    ts: int
    kind: str
    """buy, sell (fills), money (funding), alarm (liquidation), placed, ended, refused, warning, error or print."""
    text: str
    more: tuple[str, ...] = ()
    """What may be left out where there is no room, the most important first."""


class News(Recorder):
    """Keeps rows as a recorder does, and says what they mean."""

    def __init__(self, several: bool = False) -> None:
        """
        :param several: there is more than one exchange, so it is said which.
        """
        super().__init__()
        self._several = several
        self.items: deque[Item] = deque(maxlen=KEPT)
        """The newest, oldest first."""
        self.placed = 0
        self.refused = 0
        """How many orders there were, and how many of them were refused."""
        self._open: dict[str, str] = {}
        """Open orders, and why a request about each was turned down last."""
        self._log = get_logger(LOGGER)

    def order(self, ts: int, host: Host, order: Order) -> None:
        """News of an order: its beginning and its end are told."""
        super().order(ts, host, order)
        first = order.id not in self._open
        reason_before = self._open.get(order.id, "")
        if order.is_open:
            self._open[order.id] = order.reason
            if first:
                self.placed += 1
                self._log.debug("order placed", **self._facts(host, order))
                self.items.append(Item(ts, "placed", f"{order.side} {self._what(order)}"))
            elif order.reason and order.reason != reason_before:
                # A refused amend or cancel leaves the order where it stood, and its reason behind.
                self._log.warning("change refused", **self._facts(host, order), reason=order.reason)
                self.items.append(Item(ts, "refused", f"change of {order.side} {self._what(order)}: {order.reason}"))
            return
        self._open.pop(order.id, None)
        self.placed += first
        reason = {"reason": order.reason} if order.reason else {}
        if order.status is OrderStatus.REJECTED:
            self.refused += 1
            self._log.warning("order refused", **self._facts(host, order), **reason)
            said = order.reason or "no reason given"
            self.items.append(Item(ts, "refused", f"{order.side} {self._what(order)}: {said}"))
            return
        self._log.info(f"order {_word(order)}", **self._facts(host, order), filled=f"{order.filled:.12g}", **reason)
        if order.status is not OrderStatus.FILLED:
            part = f", {order.filled:.12g} filled" if order.filled else ""
            why = f": {order.reason}" if order.reason else ""
            self.items.append(Item(ts, "ended", f"{_word(order)} {order.side} {self._what(order)}{part}{why}"))

    def execution(self, host: Host | None, execution: Execution, realized: int) -> None:
        """A movement of position or money."""
        super().execution(host, execution, realized)
        row, instrument = self.fills[-1], execution.instrument
        fee = f"{row.fee} {row.fee_currency}"
        if execution.kind is ExecutionKind.FUNDING:
            self._log.info("funding", **self._place(instrument), qty=row.qty, paid=fee)
            self.items.append(Item(row.ts, "money", f"funding on {row.qty} {self._name(instrument)}: paid {fee}"))
            return
        if execution.kind is ExecutionKind.INSURANCE:
            self._log.info("insurance", **self._place(instrument), paid=fee)
            self.items.append(Item(row.ts, "money", f"insurance fund on {self._name(instrument)}: paid {fee}"))
            return
        profit = f"{row.realized} {row.fee_currency}" if realized else ""
        self._log.info(
            "fill" if execution.kind is ExecutionKind.TRADE else execution.kind.value,
            strategy=row.strategy, **self._place(instrument), side=row.side, qty=row.qty, price=row.price,
            liquidity=row.liquidity, fee=fee, **({"realized": profit} if profit else {}), order=row.order_id,
        )  # fmt: skip
        told = f"{row.qty} {self._name(instrument)} at {row.price}"
        more = (*([f"realized {profit}"] if profit else []), row.liquidity, f"fee {fee}")
        if execution.kind is ExecutionKind.TRADE:
            self.items.append(Item(row.ts, row.side, told, more))
        else:
            self.items.append(Item(row.ts, "alarm", f"{execution.kind.value}: {row.side} {told}", more))

    def _name(self, instrument: Instrument) -> str:
        return f"{instrument.exchange} {instrument}" if self._several else str(instrument)

    def _place(self, instrument: Instrument) -> dict[str, str]:
        place = {"exchange": instrument.exchange} if self._several else {}
        return {**place, "instrument": instrument.symbol}

    def _what(self, order: Order) -> str:
        price = "market" if order.price is None else f"at {order.price:.12g}"
        return f"{order.qty:.12g} {self._name(order.instrument)} {price}"

    def _facts(self, host: Host, order: Order) -> dict[str, str]:
        price = {} if order.price is None else {"price": f"{order.price:.12g}"}
        return {
            "strategy": host.name,
            **self._place(order.instrument),
            "side": order.side.value,
            "qty": f"{order.qty:.12g}",
            **price,
            "order": order.id,
        }


def _word(order: Order) -> str:
    return order.status.value.lower().replace("_", " ")
