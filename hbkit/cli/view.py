"""The live view of a run in a terminal: book with own orders marked, position, profit, orders and fills, limits, lag.

It is drawn from a timer of the run's own loop, from what the run keeps anyway; nothing waits for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from hbkit.clock import SECOND, iso
from hbkit.report.result import FillRow
from hbkit.run.live import LiveRun
from hbkit.trading.view import MarketView

DEPTH = 5
NEWS = 8
PER_SECOND = 4


@contextmanager
def watch(run: LiveRun) -> Iterator[None]:
    """Draw `run` until the block ends."""
    with Live(console=Console(), auto_refresh=False, transient=True) as live:
        run.on_sample(lambda: live.update(picture(run), refresh=True))
        yield


def picture(run: LiveRun) -> RenderableType:
    """Everything that is shown, as it stands now."""
    parts: list[RenderableType] = [_head(run)]
    for host in run.hosts:
        for view in host.desk.markets:
            parts.append(_market(view))
    parts.append(_news(run))
    parts.append(_foot(run))
    return Group(*parts)


def _head(run: LiveRun) -> Text:
    text = Text()
    text.append(f"{run.name} ", style="bold")
    text.append(f"{run.mode} · {iso(run.clock.now())[:19].replace('T', ' ')} UTC", style="dim")
    for code, (equity, profit) in run.profit().items():
        text.append(f"\n{code}  ", style="dim")
        text.append(equity)
        text.append(f"  {profit}", style="red" if profit.startswith("-") else "green")
    return text


def _market(view: MarketView) -> Table:
    table = Table(box=None, padding=(0, 2), title_justify="left", show_header=True, header_style="dim")
    for name in ("own bid", "bid qty", "bid", "ask", "ask qty", "own ask"):
        table.add_column(name, justify="right")
    own = {(order.side.value, order.price): order.remaining for order in view.orders}
    bids, asks = view.book.bids(DEPTH), view.book.asks(DEPTH)
    for row in range(max(len(bids), len(asks))):
        bid = bids[row] if row < len(bids) else None
        ask = asks[row] if row < len(asks) else None
        table.add_row(
            _mark(own, "buy", bid), f"{bid[1]:,.12g}" if bid else "", f"{bid[0]:,.12g}" if bid else "",
            f"{ask[0]:,.12g}" if ask else "", f"{ask[1]:,.12g}" if ask else "", _mark(own, "sell", ask),
        )  # fmt: skip
    held = ", ".join(_holding(view)) or "flat"
    resting = ", ".join(f"{side} {qty:g} at {price:,.12g}" for (side, price), qty in own.items() if price is not None)
    table.title = f"{view.instrument}  {held}" + (f"  ·  {resting}" if resting else "")
    return table


def _holding(view: MarketView) -> Iterator[str]:
    for position in view.held():
        side = "long" if position.qty > 0 else "short"
        yield (
            f"{side} {abs(position.qty):g} at {position.entry_price:,.1f}, open profit "
            f"{position.unrealized_pnl:+.8f} {view.instrument.settle}"
        )


def _mark(own: dict[tuple[str, float | None], float], side: str, level: tuple[float, float] | None) -> Text:
    qty = own.get((side, level[0])) if level is not None else None
    return Text("" if qty is None else f"{qty:g}", style="bold yellow")


def _news(run: LiveRun) -> Table:
    table = Table(box=None, padding=(0, 2), show_header=False)
    rows = run.fill_rows[-NEWS:]
    for row in rows:
        table.add_row(*_fill(row))
    return table


def _fill(row: FillRow) -> tuple[Text, ...]:
    style = "green" if row.side == "buy" else "red"
    return (
        Text(iso(row.ts)[11:19], style="dim"),
        Text(row.kind if row.kind != "trade" else row.side, style=style),
        Text(f"{row.qty} {row.instrument}"),
        Text(f"at {row.price}"),
        Text(f"fee {row.fee} {row.fee_currency}", style="dim"),
        Text(row.liquidity, style="dim"),
    )


def _foot(run: LiveRun) -> Text:
    facts: list[str] = [f"{run.order_count:,} orders", f"{run.fill_count:,} fills"]
    for name, exchange in run.exchanges.items():
        health: dict[str, Any] = exchange.health()
        facts += [f"{name} {key} {value}" for key, value in health.items()]
    facts.append(f"loop lag {run.lag_ns / SECOND * 1000:.1f} ms")
    return Text(" · ".join(facts), style="dim")
