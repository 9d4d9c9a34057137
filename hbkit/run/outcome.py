"""What a run leaves behind: its result from the objects of the run, and the files in its folder."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hbkit.data.journal import Journal
from hbkit.errors import HbkitError, StrategyError
from hbkit.model import ExecutionKind, Instrument, PositionSide
from hbkit.report.html import page
from hbkit.report.result import (
    AccountRow,
    InstrumentRow,
    MoneyRow,
    PositionRow,
    ProvenanceRow,
    Reporting,
    RunResult,
    StrategyRow,
)
from hbkit.run.plan import Plan
from hbkit.runtime.ending import Ending
from hbkit.runtime.host import Host
from hbkit.runtime.money import Money
from hbkit.runtime.record import Recorder
from hbkit.runtime.router import Router
from hbkit.trading.ledger import Ledger
from hbkit.version import VERSION


@dataclass
class Story:
    """What a run has to tell once it is over; the rest is asked of its objects."""

    mode: str
    started: str
    stopped: str
    ending: Ending
    events: int
    fill_model: str
    latency_ns: int | None
    provenance: Sequence[ProvenanceRow] = ()
    fault: HbkitError | None = None
    """What no single strategy can be blamed for."""
    standing: Sequence[str] = ()
    """Orders of ours that may still stand at an exchange."""
    off_grid: Mapping[str, int] = field(default_factory=dict)
    """Recorded prices that had to be moved to the tick, per symbol."""


def outcome(
    plan: Plan,
    folder: Path,
    journal: Journal,
    story: Story,
    money: Money,
    accounts: list[AccountRow],
    hosts: Sequence[Host],
    router: Router,
    recorder: Recorder,
) -> RunResult:
    """The result; closes the journal, whose hash is part of it."""
    trades = [row for row in recorder.fills if ExecutionKind(row.kind).moves_position]
    journal.close(story.stopped, story.ending.reason)
    rows, series = money.total(accounts), recorder.equity_series()
    valued = None if money.valuation is None else money.valuation.row(rows, series.ts, recorder.reported)
    return RunResult(
        run_id=folder.name,
        name=plan.config.settings.run.name,
        mode=story.mode,
        seed=plan.config.settings.run.seed,
        started=story.started,
        stopped=story.stopped,
        stop_reason=story.ending.reason,
        exit_code=story.ending.exit_code,
        events=story.events,
        orders=sum(host.trader.sent for host in hosts),
        fills=len(trades),
        rejects=sum(host.trader.refused for host in hosts),
        money=rows,
        accounts=accounts,
        reporting=valued,
        positions=[row for name, ledger in router.ledgers.items() for row in _position_rows(name, ledger)],
        strategies=[
            StrategyRow(
                name=host.name, orders=host.trader.sent, fills=host.trader.fills,
                realized_pnl=money.by_code(host.trader.ledger.realized),
            )
            for host in hosts
        ],
        journal_hash=journal.hash,
        report=str(folder / "report.html"),
        journal=str(journal.path),
        equity_series=series,
        prices=recorder.price_series(),
        fill_rows=recorder.fills,
        order_rows=recorder.orders,
        provenance=list(story.provenance),
        fill_model=story.fill_model,
        latency_ns=story.latency_ns,
        instruments=[_instrument_row(market) for market in plan.markets],
        warnings=[*plan.warnings, *_warnings(plan.warnings, story, rows, valued, hosts, recorder)],
        config_text=plan.config.text,
        told=plan.config.told(),
        python_version=platform.python_version(),
        hbkit_version=VERSION,
    )  # fmt: skip


def write(plan: Plan, folder: Path, result: RunResult) -> None:
    """The files of a run: config copy, page, result."""
    (folder / "config.yaml").write_text(plan.config.text, encoding="utf-8")
    (folder / "report.html").write_text(page(result, _sections(plan, result)), encoding="utf-8")
    result.save(folder / "result.json")


def _sections(plan: Plan, result: RunResult) -> dict[str, str]:
    """What plugins add to the report; a section that cannot be made is logged and left out."""
    sections: dict[str, str] = {}
    for title, offer in plan.plugins.offers("report_sections").items():
        try:
            sections[title] = str(offer.value(result))
        except Exception as error:  # noqa: BLE001 - a guest's code: the report must not be lost over it
            plan.plugins.complain(f'the report section "{title}" of {offer.origin}', error)
    return sections


def _position_rows(exchange: str, ledger: Ledger) -> Iterator[PositionRow]:
    for side, leg in ledger.legs:
        if leg.units:
            held = side if side is not PositionSide.NET else PositionSide.LONG if leg.units > 0 else PositionSide.SHORT
            yield PositionRow(
                exchange=exchange,
                instrument=leg.instrument.symbol,
                side=held.value,
                qty=leg.instrument.qty_text(leg.units),
                entry_price=f"{leg.entry_price:.12g}",
            )


def _instrument_row(market: Instrument) -> InstrumentRow:
    return InstrumentRow(
        exchange=market.exchange,
        symbol=market.symbol,
        kind=market.kind.value,
        unit=market.unit_text,
        tick=str(market.tick_size),
        lot=str(market.lot_size),
        maker_fee=str(market.maker_fee),
        taker_fee=str(market.taker_fee),
        quote=market.quote,
        unified=market.unified,
        contract_size=f"{market.contract_size:.15g}",
    )


def _warnings(
    said: Sequence[str],
    story: Story,
    money: Sequence[MoneyRow],
    valued: Reporting | None,
    hosts: Sequence[Host],
    recorder: Recorder,
) -> Iterator[str]:
    if story.fault is not None:
        yield str(story.fault)
    if story.standing:
        ids = ", ".join(story.standing[:5]) + (", ..." if len(story.standing) > 5 else "")
        yield f"error[HB438] {len(story.standing)} orders may still stand at the exchange: {ids}; look before you leave"
    for symbol, prices in story.off_grid.items():
        yield f"warning[HB508] {prices:,} prices of {symbol} in the data are off its tick; the nearest was taken"
    for row in money:
        if row.gap:
            yield f"error[HB699] {row.currency}: the books miss the exchange's equity by {row.gap} minor units"
    if valued is not None and valued.reason and not any(valued.reason in line for line in said):
        yield f"warning[HB115] there is no equity in {valued.currency}: {valued.reason}"
    for host in hosts:
        if isinstance(host.failure, StrategyError):
            again = f" ({host.failures} times, the last one shown)" if host.failures > 1 else ""
            yield f"{host.failure}{again}"
    refused = [row for row in recorder.orders if row.status == "rejected"]
    if refused:
        yield f"warning[HB411] {len(refused):,} orders were refused, the first: {refused[0].reason}"
