"""One account's money, positions and terms: balances, position mode, margin mode, leverage, what was paid in."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from hbkit.errors import ExchangeError, OrderRejected, Unsupported, WireError
from hbkit.exchange import Holding, no_legs
from hbkit.log import get_logger
from hbkit.model import Currency, Instrument, MarginMode, PositionMode, PositionSide, Wallet
from hbkit_ccxt.errors import NoChange
from hbkit_ccxt.lookup import Lookup
from hbkit_ccxt.numbers import exact, minor, units
from hbkit_ccxt.reports import MILLISECOND, Row, leg_of

SCALE = 8
"""Decimals of currencies that no instrument settles in."""
_WITH_OPEN_PROFIT = frozenset(
    {
        "binance", "binancecoinm", "binanceusdm", "bitget", "bitmex", "deribit", "hyperliquid", "kucoinfutures",
        "myokx", "okx", "okxus",
    }
)  # fmt: skip
"""Venues whose total, as ccxt tells it, holds what open positions are worth."""
_MARGIN_NEEDS_LEVERAGE = frozenset({"okx", "okxus", "myokx", "bybit", "bybiteu", "bybitid"})
"""Venues that set margin mode and leverage in one."""
_PURSES_BY_PAYOFF = frozenset({"binance", "htx"})
"""Venues that keep the money of linear and inverse contracts apart."""
_PAID = frozenset({"transfer", "deposit", "withdrawal", "transaction"})
_SKIPPED = frozenset({"info", "free", "used", "total", "debt", "timestamp", "datetime"})


class Account:
    """What the venue says of the account, as far as it was asked."""

    def __init__(
        self,
        client: Any,
        name: str,
        lookup: Lookup,
        instruments: Mapping[str, Instrument],
        start: Callable[[Coroutine[Any, Any, None]], object],
    ) -> None:
        self._client = client
        self._name = name
        self._lookup = lookup
        self._start = start
        self._by_unified = {one.unified: one for one in instruments.values()}
        self._currencies = _currencies(instruments.values())
        self._wallets: dict[str, Wallet] = {}
        self._open_profit: dict[str, int] = {}
        self._transfers: dict[str, int] = {}
        self._seen: set[str] = set()
        self._ledger_from = 0
        self._leverage: dict[Instrument, Decimal] = {}
        self.mode = PositionMode.ONE_WAY
        self.held: dict[tuple[Instrument, PositionSide], int] = {}
        """Signed units by market and leg, as they were told last."""
        self._log = get_logger("ccxt")

    # -- money

    def wallets(self) -> list[Wallet]:
        """As told last."""
        return [self._wallets[code] for code in sorted(self._wallets)]

    def transfers(self) -> Mapping[str, int]:
        """As the ledger tells since the connector was opened."""
        return self._transfers

    async def refresh(self) -> list[Wallet]:
        """Ask for money, and for what was paid in and out where there is a ledger; the wallets that have changed."""
        changed: list[Wallet] = []
        if self._client.venue in _WITH_OPEN_PROFIT and self._contract() is not None:
            await self.positions()
        for params in self._kinds():
            changed += self.hear(await self._client.call("fetch_balance", **params))
        await self._read_ledger()
        return changed

    def _kinds(self) -> list[dict[str, Any]]:
        """Venues with a purse for each kind of market are asked for the one that is traded in."""
        if "defaultType" not in (self._client.api.options or {}):
            return [{}]
        markets = list(self._lookup.traded) or list(self._by_unified.values())
        kinds = {
            ("spot" if one.is_spot else "future" if one.expiry else "swap", "" if one.is_spot else _sub(one)): None
            for one in markets
        }
        told = self._client.venue in _PURSES_BY_PAYOFF
        asked = {(kind, sub if told else ""): None for kind, sub in kinds}
        return [{"type": kind, **({"subType": sub} if sub else {})} for kind, sub in asked] or [{}]

    @property
    def has_one_purse(self) -> bool:
        """Whether a question for money, or a watch of it, needs no kind of market."""
        return self._kinds() == [{}]

    def hear(self, row: Row) -> list[Wallet]:
        """A balance as ccxt tells it; the wallets that have changed."""
        changed = []
        apart = _told_apart(row.get("info"))
        for code, sums in row.items():
            if code in _SKIPPED or not isinstance(sums, Mapping):
                continue
            wallet = self._wallet(code, sums, apart)
            if wallet is not None and wallet != self._wallets.get(code):
                self._wallets[code] = wallet
                changed.append(wallet)
        return changed

    def _wallet(self, code: str, sums: Row, apart: Mapping[str, Decimal]) -> Wallet | None:
        total, free = exact(sums.get("total")), exact(sums.get("free"))
        if total is None:
            total = free
        if total is None or (not total and code not in self._currencies and code not in self._wallets):
            return None
        currency = self._currencies.setdefault(code, Currency(code, SCALE))
        whole, profit = minor(currency, total), self._open_profit.get(code, 0)
        settled = next(
            (part for name, part in apart.items() if self._client.api.safe_currency_code(name) == code), None
        )
        if settled is not None:
            profit = whole - minor(currency, total * settled)
        balance = whole - profit if self._client.venue in _WITH_OPEN_PROFIT else whole
        return Wallet(currency, balance, balance + profit, whole if free is None else minor(currency, free))

    async def _read_ledger(self) -> None:
        """Transfers and payments since the connector was opened; trades, fees and fundings are no such thing."""
        if self._client.has("fetchLedger") is not True:
            return
        if not self._ledger_from:
            self._ledger_from = self._client.server_now()
        try:
            rows = await self._client.call("fetch_ledger", None, self._ledger_from // MILLISECOND)
        except (OrderRejected, Unsupported) as error:
            self._log.debug("the ledger cannot be read", exchange=self._name, reason=error.message)
            return
        for row in rows:
            key, amount = str(row.get("id")), exact(row.get("amount"))
            late = (row.get("timestamp") or 0) * MILLISECOND < self._ledger_from
            if key in self._seen or amount is None or late or row.get("type") not in _PAID:
                continue
            self._seen.add(key)
            code = str(row.get("currency") or "")
            currency = self._currencies.setdefault(code, Currency(code, SCALE))
            sign = -1 if row.get("direction") == "out" else 1
            self._transfers[code] = self._transfers.get(code, 0) + sign * abs(minor(currency, amount))

    # -- positions

    async def positions(self) -> list[Holding]:
        """Every position that is not flat, of the markets that are traded, or of all where none is named."""
        rows = await self._position_rows()
        found: list[Holding] = []
        profit: dict[str, int] = {}
        for row in rows:
            holding = self._holding(row)
            if holding is None:
                continue
            found.append(holding)
            settle = holding.instrument.settle
            profit[settle.code] = profit.get(settle.code, 0) + minor(settle, row.get("unrealizedPnl"))
        self._open_profit = profit
        self.held = {(one.instrument, one.side): one.units for one in found}
        return found

    async def _position_rows(self) -> list[dict[str, Any]]:
        contracts = [one for one in self._by_unified.values() if not one.is_spot]
        if not contracts:
            return []
        traded = [one.unified for one in self._lookup.traded if not one.is_spot]
        if self._client.has("fetchPositions"):
            rows: list[dict[str, Any]] = []
            groups = {_group(one): one for one in self._lookup.traded if not one.is_spot} or {
                _group(one): one for one in contracts
            }
            for key in groups if "defaultType" in (self._client.api.options or {}) else [None]:
                asked = [name for name in traded if key is None or _group(self._by_unified[name]) == key]
                params = {} if key is None or asked else {"type": key[0], "subType": key[1]}
                rows += await self._client.call("fetch_positions", asked or None, **params)
            return rows
        if self._client.has("fetchPosition"):
            return [await self._client.call("fetch_position", name) for name in traded]
        raise Unsupported(f"{self._name} cannot list positions")

    def _holding(self, row: Row) -> Holding | None:
        one = self._by_unified.get(str(row.get("symbol") or ""))
        held = units(one, row.get("contracts")) if one is not None else None
        if one is None or not held:
            return None
        short = row.get("side") == "short" or held < 0
        signed = -abs(held) if short else abs(held)
        side = PositionSide.NET
        if self.mode is PositionMode.HEDGE or row.get("hedged") is True:
            side = leg_of(row) or PositionSide.NET
            if side is PositionSide.NET:
                side = PositionSide.SHORT if short else PositionSide.LONG
        entry = exact(row.get("entryPrice"))
        return Holding(one, side, signed, one.signed_cost(signed, entry) if entry else 0)

    # -- the position mode

    async def read_mode(self) -> PositionMode:
        """The account's mode; where a venue cannot be asked, it is what is known."""
        contract = self._contract()
        if contract is not None and self._client.has("fetchPositionMode"):
            told = await self._client.call("fetch_position_mode", contract.unified)
            return PositionMode.HEDGE if told.get("hedged") else PositionMode.ONE_WAY
        return self.mode

    async def switch_mode(self, mode: PositionMode) -> PositionMode:
        """Ask for another mode, for each sort of contract that is traded; the mode in force then."""
        groups = {_group(one): one for one in self._lookup.traded if not one.is_spot}
        contract = self._contract()
        for one in groups.values() or ([contract] if contract is not None else []):
            try:
                await self._client.call("set_position_mode", mode is PositionMode.HEDGE, one.unified)
            except NoChange:
                continue
        self.mode = await self.read_mode() if self._client.has("fetchPositionMode") else mode
        return self.mode

    def _contract(self) -> Instrument | None:
        traded = [one for one in self._lookup.traded if not one.is_spot]
        return next(iter(traded), None) or next((one for one in self._by_unified.values() if not one.is_spot), None)

    # -- margin

    def set_leverage(self, instrument: Instrument, leverage: float, side: PositionSide) -> None:
        """In the margin mode in force; 0 is cross margin."""
        self._need_contract(instrument)
        del side
        self._ask(instrument, self._leverage_of(instrument, Decimal(repr(float(leverage)))))

    def set_margin_mode(self, instrument: Instrument, mode: MarginMode, side: PositionSide) -> None:
        """Cross or isolated."""
        self._need_contract(instrument)
        del side
        self._ask(instrument, self._margin(instrument, mode, None))

    def transfer_margin(self, instrument: Instrument, amount: int, side: PositionSide) -> None:
        """Add to the margin of an isolated position, or take away."""
        self._need_contract(instrument)
        method, name = ("add_margin", "addMargin") if amount > 0 else ("reduce_margin", "reduceMargin")
        if not self._client.has(name):
            raise Unsupported(f"{self._name} cannot move margin, as far as ccxt knows")
        money = float(instrument.settle.text(abs(amount)))
        params = {} if side is PositionSide.NET else {"positionSide": side.value.upper()}
        self._ask(instrument, self._do(method, instrument.unified, money, **params))

    async def _do(self, method: str, *arguments: Any, **params: Any) -> None:
        await self._client.call(method, *arguments, **params)

    async def _leverage_of(self, instrument: Instrument, leverage: Decimal) -> None:
        if not leverage:
            await self._margin(instrument, MarginMode.CROSS, None)
            return
        self._leverage[instrument] = leverage
        whole = int(leverage) if leverage == leverage.to_integral_value() else float(leverage)
        try:
            await self._client.call("set_leverage", whole, instrument.unified)
        except NoChange:
            return

    async def _margin(self, instrument: Instrument, mode: MarginMode, leverage: Decimal | None) -> None:
        if not self._client.has("setMarginMode"):
            raise Unsupported(f"{self._name} sets no margin mode, as far as ccxt knows")
        params: dict[str, Any] = {}
        if self._client.venue in _MARGIN_NEEDS_LEVERAGE:
            known = leverage or self._leverage.get(instrument)
            if known is None and self._client.has("fetchLeverage"):
                told = await self._client.call("fetch_leverage", instrument.unified)
                known = exact(told.get("longLeverage"))
            if known is not None:
                params["leverage"] = int(known)
        try:
            await self._client.call("set_margin_mode", mode.value, instrument.unified, **params)
        except NoChange:
            return

    def _need_contract(self, instrument: Instrument) -> None:
        if instrument.is_spot:
            raise Unsupported(f"{self._name}: {instrument} is spot, which has no margin")

    def _ask(self, instrument: Instrument, work: Coroutine[Any, Any, None]) -> None:
        async def ask() -> None:
            try:
                await work
            except ExchangeError as error:
                self._log.warning("margin not changed", instrument=instrument.symbol, reason=error.message)

        self._start(ask())

    # -- before a run

    async def prepare(
        self,
        instruments: Sequence[Instrument],
        position_mode: PositionMode | None,
        margin_mode: MarginMode | None,
        leverage: Decimal | None,
        open_orders: Callable[[], Coroutine[Any, Any, int]],
    ) -> None:
        """What a config asks for; raises with the exchange's reason where it cannot be done."""
        if position_mode is not None and position_mode is not self.mode:
            await self._mode_at_start(instruments, position_mode, open_orders)
        for one in instruments:
            if one.is_spot:
                continue
            try:
                if leverage is not None:
                    self._leverage[one] = leverage
                if margin_mode is not None:
                    await self._margin(one, margin_mode, leverage)
                if leverage is not None:
                    await self._leverage_of(one, leverage)
            except WireError:
                raise
            except ExchangeError as error:
                asked = [
                    *([f"{margin_mode} margin"] if margin_mode else []),
                    *([f"leverage {leverage:f}"] if leverage else []),
                ]
                raise ExchangeError(
                    f"{self._name} refused {', '.join(asked)} for {one} ({error.message}); change margin", code="HB413"
                ) from None

    async def _mode_at_start(
        self,
        instruments: Sequence[Instrument],
        wanted: PositionMode,
        open_orders: Callable[[], Coroutine[Any, Any, int]],
    ) -> None:
        if wanted is PositionMode.HEDGE and not any(one.hedge and not one.is_spot for one in instruments):
            raise ExchangeError(f"{no_legs(instruments)}; leave position_mode out", code="HB420")
        previous = self.mode
        try:
            if not self._client.has("setPositionMode"):
                raise Unsupported(f"{self._name} cannot be switched through ccxt")
            await self.switch_mode(wanted)
        except (OrderRejected, Unsupported) as error:
            count = await open_orders()
            orders = f"; it has {count} open order{'s' if count != 1 else ''}" if count else ""
            raise ExchangeError(
                f"the account of {self._name} is in {previous} mode, the config says {wanted}, and it cannot be "
                f"switched ({error.message}){orders}. Use position_mode: {previous}, or switch it at the exchange",
                code="HB420",
            ) from None
        self._log.info("position mode switched", exchange=self._name, mode=str(self.mode), previous=str(previous))


def _told_apart(info: Any) -> dict[str, Decimal]:
    """Which part of a total is settled money, by the venue's own code, where its rows tell both sums."""
    rows = info.get("assets") if isinstance(info, Mapping) else info
    found: dict[str, Decimal] = {}
    for row in rows if isinstance(rows, (list, tuple)) else ():
        if isinstance(row, Mapping):
            settled, whole = exact(row.get("walletBalance")), exact(row.get("marginBalance"))
            name = row.get("currency") or row.get("asset")
            if settled is not None and whole and isinstance(name, str):
                found[name] = settled / whole
    return found


def _sub(one: Instrument) -> str:
    return "inverse" if one.is_inverse else "linear"


def _group(one: Instrument) -> tuple[str, str]:
    return ("future" if one.expiry else "swap"), _sub(one)


def _currencies(instruments: Iterable[Instrument]) -> dict[str, Currency]:
    found: dict[str, Currency] = {}
    for one in instruments:
        found.setdefault(one.settle.code, one.settle)
        if one.is_spot:
            found.setdefault(one.base, one.base_currency)
    return found
