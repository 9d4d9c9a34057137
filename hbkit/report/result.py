"""The typed result of a run: what `--json` prints, `result.json` keeps, and every report is drawn from.

Money is counted in integers of each currency's minor unit, prices and quantities are exact decimal text, times are
nanoseconds (`ts`) or ISO 8601 text. Whoever runs a strategy fills one `RunResult`; nothing here looks anything up.

    result.save(folder / "result.json")
    again = RunResult.load(folder / "result.json")
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from hbkit.clock import iso
from hbkit.errors import DataError
from hbkit.model import Currency


class MoneyRow(msgspec.Struct, frozen=True, kw_only=True):
    """One settlement currency of a run, all amounts in minor units.

    starting_balance + transfers + realized_pnl + funding - fees + unrealized_pnl = equity. Profit is gross of fees and
    funding; fees are positive when paid, funding positive when received.
    """

    currency: str
    scale: int
    starting_balance: int
    transfers: int = 0
    realized_pnl: int = 0
    unrealized_pnl: int = 0
    fees: int = 0
    funding: int = 0
    equity: int
    untold: list[str] = []
    """Lines that the source of an imported result does not tell; they are 0 here and never shown as 0."""

    @property
    def unit(self) -> Currency:
        """The currency as a value, which writes amounts as text."""
        return Currency(self.currency, self.scale)

    @property
    def net_profit(self) -> int:
        """What the run earned after fees and funding, open profit included, transfers left out."""
        return self.equity - self.starting_balance - self.transfers

    @property
    def is_idle(self) -> bool:
        """True for a currency that the run held and never moved."""
        moved = (self.transfers, self.realized_pnl, self.unrealized_pnl, self.fees, self.funding, self.gap)
        return not any(moved)

    @property
    def gap(self) -> int:
        """By how much the lines miss the equity; 0 in every sound run."""
        sources = self.starting_balance + self.transfers + self.realized_pnl + self.funding + self.unrealized_pnl
        return sources - self.fees - self.equity


class AccountRow(msgspec.Struct, frozen=True, kw_only=True):
    """The money of one account: of one exchange block, or of several that trade on the same account."""

    exchanges: list[str]
    money: list[MoneyRow]


class PairRow(msgspec.Struct, frozen=True, kw_only=True):
    """A price that a conversion used, and when it was last in force as far as the run could see, ns."""

    exchange: str
    instrument: str
    price: str
    ts: int


class RateRow(msgspec.Struct, frozen=True, kw_only=True):
    """What one of a currency is worth in the reporting currency; no pairs where both are the same or at par."""

    currency: str
    rate: str
    pairs: list[PairRow] = []


class Reporting(msgspec.Struct, frozen=True, kw_only=True):
    """The equity of all currencies as one figure, minor units of `scale` decimals; None where there is none, and why.

    `net_profit` is equity - transfers - `started`, the value at the first moment at which every price was known: what
    the prices of the currencies themselves did is in it. `left_out` are currencies beside those of the markets
    that were traded, which the run has not changed.
    """

    currency: str
    scale: int
    equity: int | None = None
    net_profit: int | None = None
    started: int | None = None
    started_ts: int | None = None
    reason: str = ""
    rates: list[RateRow] = []
    at_par: list[str] = []
    left_out: dict[str, str] = {}
    ts: list[int] = []
    minor: list[int | None] = []

    @property
    def unit(self) -> Currency:
        """The reporting currency as a value, which writes amounts as text."""
        return Currency(self.currency, self.scale)

    def text(self, minor: int | None) -> str | None:
        """Minor units as decimal text, None as it is."""
        return None if minor is None else self.unit.text(minor)

    def to_json(self) -> dict[str, Any]:
        """What `run --json` prints; the course stands in `result.json`."""
        return {
            "currency": self.currency,
            "equity": self.text(self.equity),
            "net_profit": self.text(self.net_profit),
            "started": self.text(self.started),
            "started_at": None if self.started_ts is None else iso(self.started_ts),
            "reason": self.reason,
            "rates": [
                {
                    "currency": row.currency,
                    "rate": row.rate,
                    "pairs": [
                        {"exchange": one.exchange, "instrument": one.instrument, "price": one.price, "at": iso(one.ts)}
                        for one in row.pairs
                    ],
                }
                for row in self.rates
            ],
            "at_par": self.at_par,
            "left_out": self.left_out,
        }


class PositionRow(msgspec.Struct, frozen=True, kw_only=True):
    """A position that is open at the end; `side` is long, short or net, `qty` is signed."""

    exchange: str
    instrument: str
    side: str
    qty: str
    entry_price: str


class StrategyRow(msgspec.Struct, frozen=True, kw_only=True):
    """What one strategy did; `realized_pnl` is minor units per currency code, gross of fees and funding."""

    name: str
    orders: int = 0
    fills: int = 0
    realized_pnl: dict[str, int] = {}


class EquitySeries(msgspec.Struct, frozen=True, kw_only=True):
    """Equity over time, minor units per currency code beside one list of times; first point at the start, last at the
    end."""

    ts: list[int] = []
    minor: dict[str, list[int]] = {}
    paid: dict[str, list[int]] = {}
    """Where it is told: what was paid in less what was paid out since the start, beside the same times."""

    def earned(self, code: str) -> list[int]:
        """The equity of a currency less what was paid in, so that what falls of it was lost."""
        equity, paid = self.minor.get(code, []), self.paid.get(code)
        return equity if paid is None else [value - sum_ for value, sum_ in zip(equity, paid, strict=True)]


class PriceSeries(msgspec.Struct, frozen=True, kw_only=True):
    """The price of one instrument over time; None or `nan` is a gap; a saved `nan` comes back as None."""

    exchange: str = ""
    instrument: str
    ts: list[int]
    price: list[float | None]


class FillRow(msgspec.Struct, frozen=True, kw_only=True):
    """One movement of position or money.

    `kind` is a value of ExecutionKind. Of a funding `fee` is the payment (positive when paid). `realized` is gross of
    the fee; `value` is the unsigned value of the fill; both are in `fee_currency`, empty text where not known.
    """

    ts: int
    order_id: str
    strategy: str
    exchange: str = ""
    instrument: str
    side: str
    price: str
    qty: str
    fee: str
    fee_currency: str
    liquidity: str
    kind: str = "trade"
    realized: str = ""
    value: str = ""
    position_side: str = "net"


class OrderRow(msgspec.Struct, frozen=True, kw_only=True):
    """One order and what became of it; `price` is empty for a market order, `ended_ts` None while it is open.

    `trigger_price` is where a stop or a take profit stood last, empty for an order without one.
    """

    ts: int
    ended_ts: int | None = None
    id: str
    strategy: str
    exchange: str = ""
    instrument: str
    side: str
    type: str
    price: str
    qty: str
    filled: str
    status: str
    reason: str = ""
    tag: str = ""
    position_side: str = "net"
    trigger_price: str = ""
    first_price: str = ""
    """The price that it was placed at, before it was amended; empty in results of before."""


class ProvenanceRow(msgspec.Struct, frozen=True, kw_only=True):
    """One part of the data, whether it was recorded, derived or synthesised, and how it came about.

    The fields are those of `hbkit.data.source.Provenance`, repeated here because reading a result needs no columns.
    """

    part: str
    origin: str
    text: str


class InstrumentRow(msgspec.Struct, frozen=True, kw_only=True):
    """What was traded: `unit` says what a quantity of 1 is; fees are rates as decimal text."""

    exchange: str
    symbol: str
    kind: str
    unit: str
    tick: str
    lot: str
    maker_fee: str
    taker_fee: str
    quote: str = ""
    """What a price counts: the unit of the price chart."""
    unified: str = ""
    """`BTC/USD:BTC`, the same at every exchange; empty in results of before."""
    contract_size: str = "1"
    """What a quantity of 1 is: so much of the base currency, of an inverse contract of the quote currency."""


class ExtraTable(msgspec.Struct, frozen=True, kw_only=True):
    """A further table of plain texts that a result brings along; `numbers` are the columns that stand to the right."""

    title: str
    heads: list[str]
    rows: list[list[str]]
    numbers: list[int] = []
    note: str = ""


class RunResult(msgspec.Struct, kw_only=True):
    """Everything a run leaves behind for people and programs; only the first block is required."""

    run_id: str
    name: str
    mode: str
    seed: int
    started: str
    """ISO 8601 UTC: data time in a replay, else wall time."""
    stopped: str
    stop_reason: str
    exit_code: int

    events: int = 0
    orders: int = 0
    """Orders, fills and rejects are counts; the rows of the tables are `order_rows` and `fill_rows`."""
    fills: int = 0
    rejects: int = 0
    money: list[MoneyRow] = []
    accounts: list[AccountRow] = []
    """The same money account by account."""
    reporting: Reporting | None = None
    """The equity in one currency, where the config names one."""
    positions: list[PositionRow] = []
    strategies: list[StrategyRow] = []
    journal_hash: str = ""
    report: str = ""
    journal: str = ""

    equity_series: EquitySeries = EquitySeries()
    prices: list[PriceSeries] = []
    fill_rows: list[FillRow] = []
    order_rows: list[OrderRow] = []
    provenance: list[ProvenanceRow] = []
    fill_model: str = ""
    """How fills were decided, as a sentence or a name; empty where the venue itself filled."""
    latency_ns: int | None = None
    """The delay that was simulated between deciding and arriving; None where it was the real one."""
    instruments: list[InstrumentRow] = []
    tables: list[ExtraTable] = []
    """What the page shows besides, in this order."""
    untold: list[str] = []
    """Of `orders`, `fills`, `positions`, `seed`: what the source of an imported result does not tell."""
    warnings: list[str] = []
    config_text: str = ""
    """The config as the user wrote it, before anything was put into it: it is shown, so it must hold no secret."""
    told: dict[str, str] = {}
    """Every value of the config by its path, those of the command line among them; no secret is in it."""
    python_version: str = ""
    hbkit_version: str = ""

    def to_json(self) -> dict[str, Any]:
        """The object that `run --json` prints: money as decimal text per currency code, counts as numbers."""
        return {
            "run_id": self.run_id,
            "mode": self.mode,
            "seed": self.seed,
            "started": self.started,
            "stopped": self.stopped,
            "stop_reason": self.stop_reason,
            "exit_code": self.exit_code,
            "events": self.events,
            "orders": self.orders,
            "fills": self.fills,
            "rejects": self.rejects,
            **_money_texts(self.money),
            **({} if self.reporting is None else {"reporting": self.reporting.to_json()}),
            "accounts": [{"exchanges": row.exchanges, **_money_texts(row.money)} for row in self.accounts],
            "positions": [msgspec.structs.asdict(position) for position in self.positions],
            "report": self.report,
            "journal": self.journal,
            "journal_hash": self.journal_hash,
            "strategies": [self._strategy_json(strategy) for strategy in self.strategies],
            **({"untold": untold} if (untold := self._untold()) else {}),
        }

    def moved(self) -> list[MoneyRow]:
        """The currencies in which something happened; all of them where nothing happened at all."""
        return [row for row in self.money if not row.is_idle] or self.money

    @property
    def several(self) -> bool:
        """Whether more than one exchange was traded at: then tables say which."""
        return len({row.exchange for row in self.instruments}) > 1

    def idle_text(self) -> str:
        """The currencies that are left out of `moved`, as one line: `10.0 ETH, 10000.0 USDT`."""
        shown = self.moved()
        return ", ".join(f"{row.unit.text(row.equity)} {row.currency}" for row in self.money if row not in shown)

    def identity_gaps(self) -> dict[str, int]:
        """Per currency, by how many minor units the lines of the money table miss the equity; all are to be 0."""
        return {row.currency: row.gap for row in self.money}

    def money_text(self, code: str, minor: int) -> str:
        """Minor units of a currency of this run as decimal text; a code without a money row is written as it is."""
        for row in self.money:
            if row.currency == code:
                return row.unit.text(minor)
        return str(minor)

    def save(self, path: str | Path) -> None:
        """Write the whole result as one line of JSON."""
        Path(path).write_bytes(msgspec.json.encode(self) + b"\n")

    @classmethod
    def load(cls, path: str | Path) -> RunResult:
        """Read what `save` wrote; raises DataError when it is missing, damaged or of another version."""
        try:
            return msgspec.json.decode(Path(path).read_bytes(), type=cls)
        except OSError as error:
            reason = error.strerror or str(error)
            raise DataError(f"{path}: cannot read the result ({reason}); `hbkit runs` lists the runs") from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            mend = "run it again, or read it with the hbkit that wrote it"
            raise DataError(f"{path}: not a result of this version of hbkit ({error}); {mend}") from error

    def _untold(self) -> dict[str, list[str]]:
        """What stands as 0 in the object although nobody knows it: keys of the money table per currency, counts."""
        told = {row.currency: row.untold for row in self.money if row.untold}
        return {**told, "run": self.untold} if self.untold else told

    def _strategy_json(self, row: StrategyRow) -> dict[str, Any]:
        realized = {code: self.money_text(code, minor) for code, minor in row.realized_pnl.items()}
        return {"name": row.name, "orders": row.orders, "fills": row.fills, "realized_pnl": realized}


def _money_texts(money: list[MoneyRow]) -> dict[str, dict[str, str]]:
    keys = ("starting_balance", "transfers", "fees", "funding", "realized_pnl", "unrealized_pnl", "equity")
    return {key: {row.currency: row.unit.text(getattr(row, key)) for row in money} for key in keys}
