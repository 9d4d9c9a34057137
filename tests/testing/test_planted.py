"""Bugs as connectors have them, planted into FakeExchange one by one: each is caught at the case that shows it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from hbkit.clock import MINUTE
from hbkit.errors import ExchangeError, Unsupported
from hbkit.exchange import Capabilities, Channel, Connection, Exchange, Holding, Listener
from hbkit.model import (
    Candle,
    Execution,
    Instrument,
    Liquidity,
    OrderBook,
    OrderReport,
    OrderRequest,
    OrderStatus,
    PositionMode,
    PositionSide,
    Quote,
    Side,
    Trade,
    TriggerKind,
)
from hbkit.net.limits import LoopClock, RateBudget, WindowBucket
from hbkit.net.virtual import VirtualLoop
from hbkit.testing import ConnectorContract, FakeExchange, FakeVenue, Venue
from hbkit.testing.contract import Broken, Level, State, cases, score
from hbkit.testing.fake.link import Link, LostAnswer
from hbkit.testing.fake.rows import Row
from hbkit.testing.fake.wire import Wire

PLANTED: dict[type[FakeExchange], str] = {}


class Contract(ConnectorContract):
    connector = FakeExchange

    @asynccontextmanager
    async def venue(self, loop: VirtualLoop) -> AsyncIterator[Venue]:
        venue = FakeVenue(loop)
        yield venue
        venue.close()


def caught_at(number: str) -> Callable[[type[FakeExchange]], type[FakeExchange]]:
    def plant(mutant: type[FakeExchange]) -> type[FakeExchange]:
        PLANTED[mutant] = number
        return mutant

    return plant


# -- what is translated wrongly


@caught_at("C03")
class QuantityInTheWrongUnit(FakeExchange):
    class wire(Wire):
        def trade(self, row: Row) -> Trade:
            units = self.instrument.units(row["qty"])
            return msgspec.structs.replace(super().trade(row), qty=float(units))


@caught_at("C03")
class MakersSideForTakers(FakeExchange):
    class wire(Wire):
        def trade(self, row: Row) -> Trade:
            trade = super().trade(row)
            return msgspec.structs.replace(trade, side=trade.side.opposite)


@caught_at("C04")
class SizesOfTheQuoteSwapped(FakeExchange):
    class wire(Wire):
        def quote(self, row: Row) -> Quote:
            quote = super().quote(row)
            return msgspec.structs.replace(quote, bid_qty=quote.ask_qty, ask_qty=quote.bid_qty)


@caught_at("C08")
class CandleStampedAtItsClose(FakeExchange):
    class wire(Wire):
        def candle(self, row: Row) -> Candle:
            candle = super().candle(row)
            return msgspec.structs.replace(
                candle,
                open_time=candle.close_time,
                close_time=candle.close_time + MINUTE,
                ts=candle.close_time + MINUTE,
            )


@caught_at("C20")
class PriceOffByOneTick(FakeExchange):
    class wire(Wire):
        def order_body(self, request: OrderRequest) -> Row:
            assert request.ticks is not None
            return super().order_body(msgspec.structs.replace(request, ticks=request.ticks - 1))


@caught_at("C36")
class PriceCutInsteadOfRounded(FakeExchange):
    class wire(Wire):
        def trade(self, row: Row) -> Trade:
            tick = float(self.instrument.tick_size)
            return msgspec.structs.replace(super().trade(row), price=int(float(row["px"]) / tick) * tick)


@caught_at("C23")
class MakerAndTakerSwapped(FakeExchange):
    class wire(Wire):
        def execution(self, row: Row) -> Execution:
            found = super().execution(row)
            other = Liquidity.TAKER if found.liquidity is Liquidity.MAKER else Liquidity.MAKER
            return msgspec.structs.replace(found, liquidity=other)


@caught_at("C22")
class FeeOfTheWrongSign(FakeExchange):
    class wire(Wire):
        def execution(self, row: Row) -> Execution:
            found = super().execution(row)
            return msgspec.structs.replace(found, fee=-found.fee)


@caught_at("C24")
class WrongSignOfPosition(FakeExchange):
    class wire(Wire):
        def holding(self, row: Row) -> Holding:
            found = super().holding(row)
            return found._replace(units=abs(found.units))


@caught_at("C37")
class MoneyWithoutItsChanges(FakeExchange):
    def _hear_money(self, row: Row) -> None:
        self._wallet = self._wallet or self._wire.wallet(row)


@caught_at("C01")
class KnownByTheUnifiedName(FakeExchange):
    def instruments(self) -> Mapping[str, Instrument]:
        return {one.unified: one for one in super().instruments().values()}


# -- what is told of the market


@caught_at("C02")
class ReadyTwice(FakeExchange):
    async def open(self, listener: Listener) -> None:
        await super().open(listener)
        listener.on_connected(self.name)


@caught_at("C11")
class MarkNotHeard(FakeExchange):
    def reference_price(self, instrument: Instrument) -> float | None:
        return self._book.mid if self._book is not None else None


@caught_at("C09")
class MissingZeroTradeCandle(FakeExchange):
    def _hear_candle(self, row: Row) -> None:
        if row["n"]:
            super()._hear_candle(row)


@caught_at("C10")
class HistoryWithoutItsLastCandle(FakeExchange):
    async def candles(self, *wanted: Any) -> list[Candle]:
        return (await super().candles(*wanted))[:-1]


@caught_at("C14")
class AnIntervalThatNeverComes(FakeExchange):
    capabilities = replace(FakeExchange.capabilities, candle_intervals=("1m", "5m"))


@caught_at("C17")
class OnlyItsOwnIntervals(FakeExchange):
    def _hear_candle(self, row: Row) -> None:
        self._tell("on_candle", self._wire.candle(row))


@caught_at("C15")
class FundingNotTold(FakeExchange):
    def _hear_funding(self, row: Row) -> None:
        pass


@caught_at("C16")
class BookOfTwentyLevels(FakeExchange):
    def _tell(self, what: str, value: object) -> None:
        if isinstance(value, OrderBook):
            whole, value = value, OrderBook(value.instrument)
            for side in Side:
                for ticks in whole.prices(side)[:20]:
                    value.set(side, ticks, whole.size(side, ticks))
        super()._tell(what, value)


@caught_at("C05")
class UpdateBeforeSnapshot(FakeExchange):
    def _hear_book(self, row: Row) -> None:
        self._book = self._book or OrderBook(self._wire.instrument)
        super()._hear_book(row)


@caught_at("C06")
class LevelsThatNeverGo(FakeExchange):
    class wire(Wire):
        def level(self, row: Row) -> tuple[Side, int, int]:
            side, ticks, units = super().level(row)
            return side, ticks, max(1, units)


@caught_at("C07")
class CrossedBookPassedOn(FakeExchange):
    def _hear_book(self, row: Row) -> None:
        if "all" in row:
            self._book = OrderBook(self._wire.instrument)
        if self._book is not None:
            for level in row.get("all", [row]):
                self._book.set(*self._wire.level(level))
            self._tell("on_book", self._book)


@caught_at("C13")
class SubscriptionsForgottenOnReconnect(FakeExchange):
    def _tell(self, what: str, value: object) -> None:
        super()._tell(what, value)
        if what == "on_disconnected":
            self._topics.clear()


@caught_at("C12")
class TaskLeakedOnClose(FakeExchange):
    async def open(self, listener: Listener) -> None:
        await super().open(listener)
        self.watch = asyncio.create_task(asyncio.Event().wait(), name="watch that nobody ends")


@caught_at("C12")
class TalksAfterShut(FakeExchange):
    async def shut(self) -> None:
        listener = self._listener
        await super().shut()
        asyncio.get_running_loop().call_later(1.0, listener.on_disconnected, self.name)  # type: ignore[union-attr]


# -- what becomes of orders


@caught_at("C21")
class FillSentTwice(FakeExchange):
    def _hear_fill(self, row: Row) -> None:
        super()._hear_fill(row)
        super()._hear_fill({**row, "id": f"{row['id']}-again"})


@caught_at("C25")
class SilentRefusal(FakeExchange):
    def _tell_order(self, order_id: str, if_new: OrderStatus, **changes: Any) -> None:
        if "refused" not in changes:
            super()._tell_order(order_id, if_new, **changes)


@caught_at("C26")
class AmendThatLosesItsId(FakeExchange):
    async def _send(self, verb: str, order_id: str, body: Row) -> None:
        if verb == "amend":
            row = await self._link.ask(verb, body)
            self._hear_order({**row, "cid": row["oid"]})
        else:
            await super()._send(verb, order_id, body)

    def _hear_order(self, row: Row) -> None:
        before = self._orders.get(row["cid"])
        if before is None or not before.exchange_id or before.ticks == self._wire.report(row).ticks:
            super()._hear_order(row)


@caught_at("C27")
class RefusedAmendTakenForARefusedOrder(FakeExchange):
    def _tell_order(self, order_id: str, if_new: OrderStatus, **changes: Any) -> None:
        if changes.get("refused") == "amend":
            before = self._orders[order_id]
            self._tell("on_order", msgspec.structs.replace(before, status=OrderStatus.REJECTED, **changes))
        else:
            super()._tell_order(order_id, if_new, **changes)


@caught_at("C29")
class CancelsItsOwnAlone(FakeExchange):
    def cancel(self, order_id: str) -> None:
        if order_id in self._orders:
            super().cancel(order_id)


@caught_at("C38")
class CancelsOnlyTheFirst(FakeExchange):
    async def cancel_every_order(self) -> None:
        for report in (await self.open_orders())[:1]:
            self.cancel(report.id)


@caught_at("C28")
class CancelToldOfAnother(FakeExchange):
    """The right order goes; the answer is taken for the one that was placed last."""

    async def _send(self, verb: str, order_id: str, body: Row) -> None:
        if verb != "cancel":
            await super()._send(verb, order_id, body)
            return
        row = await self._link.ask(verb, body, urgent=True)
        self._hear_order({**row, "cid": next(reversed(self._orders))})


@caught_at("C28")
class CancelAnsweredForTheWrongOrder(FakeExchange):
    def cancel(self, order_id: str) -> None:
        last = next(reversed(self._orders), order_id)
        super().cancel(last)


@caught_at("C30")
class LateCancelUndoesTheFill(FakeExchange):
    async def _send(self, verb: str, order_id: str, body: Row) -> None:
        try:
            await super()._send(verb, order_id, body)
        finally:
            if verb == "cancel":
                self._orders[order_id] = msgspec.structs.replace(self._orders[order_id], status=OrderStatus.CANCELED)
                self._tell("on_order", self._orders[order_id])

    def _tell_order(self, order_id: str, if_new: OrderStatus, **changes: Any) -> None:
        if changes.get("refused") != "cancel":
            super()._tell_order(order_id, if_new, **changes)


@caught_at("C31")
class ReduceOnlyLeftOut(FakeExchange):
    class wire(Wire):
        def order_body(self, request: OrderRequest) -> Row:
            return {**super().order_body(request), "reduce": False}


@caught_at("C32")
class PostOnlyLeftOut(FakeExchange):
    class wire(Wire):
        def order_body(self, request: OrderRequest) -> Row:
            return {**super().order_body(request), "post": False}


@caught_at("C33")
class ImmediateOrderThatRests(FakeExchange):
    class wire(Wire):
        def order_body(self, request: OrderRequest) -> Row:
            return {**super().order_body(request), "life": "gtc"}


@caught_at("C34")
class HedgeLegsNetted(FakeExchange):
    async def positions(self) -> list[Holding]:
        found = await super().positions()
        units = sum(one.units for one in found)
        return [Holding(self._wire.instrument, PositionSide.NET, units, 0)] if units else []


@caught_at("C35")
class ModeChangeNotReported(FakeExchange):
    def _hear_mode(self, row: Row) -> None:
        if not self.is_up or self._wanted_mode is not None:
            super()._hear_mode(row)


@caught_at("C39")
class TriggerThatIsDropped(FakeExchange):
    capabilities = replace(FakeExchange.capabilities, triggers=False, display_qty=False)

    def submit(self, request: OrderRequest) -> None:
        super().submit(msgspec.structs.replace(request, trigger_ticks=None, display_units=None))


@caught_at("C60")
class AllOrNothingFillsInPart(FakeExchange):
    class wire(Wire):
        def order_body(self, request: OrderRequest) -> Row:
            body = super().order_body(request)
            return {**body, "life": "ioc"} if body["life"] == "fok" else body


@caught_at("C61")
class DayOrderThatDoesNotRest(FakeExchange):
    class wire(Wire):
        def order_body(self, request: OrderRequest) -> Row:
            body = super().order_body(request)
            return {**body, "life": "ioc"} if body["life"] == "day" else body


@caught_at("C80")
class ClosesTheOtherLeg(FakeExchange):
    class wire(Wire):
        def order_body(self, request: OrderRequest) -> Row:
            body = super().order_body(request)
            return {**body, "leg": "short" if (body["leg"], body["side"]) == ("long", "sell") else body["leg"]}


@caught_at("C81")
class LegLeftOut(FakeExchange):
    """Sends an order for the long leg as one for no leg."""

    class wire(Wire):
        def order_body(self, request: OrderRequest) -> Row:
            body = super().order_body(request)
            return {**body, "leg": "net" if body["leg"] == "long" else body["leg"]}


@caught_at("C82")
class RefusedSwitchTakenForDone(FakeExchange):
    async def _switch(self, mode: PositionMode) -> None:
        with suppress(ExchangeError):
            await self._link.ask("mode", {"mode": mode.value})
        self._hear_mode({"mode": mode.value, "ts": self.server_now()})


@caught_at("C83")
class LegOfAnOrderForgotten(FakeExchange):
    async def open_orders(self) -> list[OrderReport]:
        return [msgspec.structs.replace(one, position_side=PositionSide.NET) for one in await super().open_orders()]


@caught_at("C84")
class LeverageRoundedToWhole(FakeExchange):
    def set_leverage(self, instrument: Instrument, leverage: float, side: PositionSide = PositionSide.NET) -> None:
        super().set_leverage(instrument, round(leverage), side)


@caught_at("C85")
class FundingOfTheWrongSign(FakeExchange):
    class wire(Wire):
        def execution(self, row: Row) -> Execution:
            found = super().execution(row)
            return msgspec.structs.replace(found, fee=-found.fee) if row["kind"] == "funding" else found


# -- orders that wait


@caught_at("C62")
class AllOfItShown(FakeExchange):
    class wire(Wire):
        def order_body(self, request: OrderRequest) -> Row:
            return {**super().order_body(request), "show": None}


@caught_at("C63")
class TriggerFiresTwice(FakeExchange):
    """Keeps stops itself as well: once a print has reached one, another order is sent after it."""

    def submit(self, request: OrderRequest) -> None:
        super().submit(request)
        self.stops = [*getattr(self, "stops", []), request]

    def _hear_trade(self, row: Row) -> None:
        super()._hear_trade(row)
        ticks = self._wire.instrument.ticks(row["px"])
        for request in getattr(self, "stops", []):
            if request.trigger_ticks == ticks:
                body = self._wire.order_body(msgspec.structs.replace(request, trigger_ticks=None))
                body["cid"] = f"{request.id}-{len(self._orders)}"
                self._tasks.start("again", self._link.ask("submit", body))


@caught_at("C63")
class StopDirectionSwapped(FakeExchange):
    class wire(Wire):
        def order_body(self, request: OrderRequest) -> Row:
            body = super().order_body(request)
            return {**body, "when": "falls" if body["when"] == "rises" else "rises"}


@caught_at("C64")
class TriggerByTheWrongPrice(FakeExchange):
    class wire(Wire):
        def order_body(self, request: OrderRequest) -> Row:
            return {**super().order_body(request), "by": "last"}


@caught_at("C65")
class PriceOfAStopLimitForgotten(FakeExchange):
    class wire(Wire):
        def order_body(self, request: OrderRequest) -> Row:
            body = super().order_body(request)
            return {**body, "px": None} if body["stop"] else body


@caught_at("C66")
class EveryTriggerAStop(FakeExchange):
    class wire(Wire):
        def order_body(self, request: OrderRequest) -> Row:
            return super().order_body(msgspec.structs.replace(request, trigger_kind=TriggerKind.STOP))


@caught_at("C67")
class CanceledInWordsAlone(FakeExchange):
    """A waiting order is in no book: it is only told as canceled."""

    def cancel(self, order_id: str) -> None:
        self._orders[order_id] = msgspec.structs.replace(self._orders[order_id], status=OrderStatus.CANCELED)
        self._tell("on_order", self._orders[order_id])


@caught_at("C68")
class StopThatOpensAPosition(FakeExchange):
    class wire(Wire):
        def order_body(self, request: OrderRequest) -> Row:
            return {**super().order_body(request), "reduce": False}


@caught_at("C69")
class TriggerNotAmended(FakeExchange):
    def amend(
        self, order_id: str, *, ticks: int | None = None, units: int | None = None, trigger_ticks: int | None = None
    ) -> None:
        del trigger_ticks
        super().amend(order_id, ticks=ticks, units=units)


@caught_at("C54")
class WaitingOrdersNotListed(FakeExchange):
    async def open_orders(self) -> list[OrderReport]:
        return [one for one in await super().open_orders() if one.status is not OrderStatus.UNTRIGGERED]


@caught_at("C55")
class FillsOfAStopUnderNewIds(FakeExchange):
    async def executions_since(self, ts: int) -> list[Execution]:
        found = await super().executions_since(ts)
        return [*found, *(msgspec.structs.replace(one, id=f"{one.id}-stop") for one in found)]


# -- what is declared and not done


@caught_at("C32")
class SaysItHasPostOnly(FakeExchange):
    class wire(Wire):
        def order_body(self, request: OrderRequest) -> Row:
            return {**super().order_body(request), "post": False}


@caught_at("C26")
class SaysItAmends(FakeExchange):
    def amend(self, order_id: str, **_: Any) -> None:
        self._tell_order(order_id, OrderStatus.OPEN)


@caught_at("C63")
class SaysItHasTriggers(FakeExchange):
    class wire(Wire):
        def order_body(self, request: OrderRequest) -> Row:
            return super().order_body(msgspec.structs.replace(request, trigger_ticks=None))


@caught_at("C34")
class SaysItHasLegs(FakeExchange):
    def set_position_mode(self, mode: PositionMode) -> None:
        pass


@caught_at("C39")
class AmendsAllTheSame(FakeExchange):
    """Does what it does not declare."""

    capabilities = replace(FakeExchange.capabilities, amend=False)


@caught_at("C39")
class TellsMoreThanItDeclares(FakeExchange):
    capabilities = replace(FakeExchange.capabilities, channels=frozenset(Channel) - {Channel.MARK})

    def subscribe(self, instrument: Instrument, channel: Channel, interval: str = "") -> None:
        del instrument, interval
        self._topics[channel] = None


# -- what goes wrong


@caught_at("C40")
class RateLimitIgnored(FakeExchange):
    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._link.budget = RateBudget({"second": WindowBucket(1000, 1.0, LoopClock())}, clock=LoopClock())


@caught_at("C41")
class FillLostOnReconnect(FakeExchange):
    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._heard: list[Row] = []

    def _hear_fill(self, row: Row) -> None:
        self._heard.append(row)
        super()._hear_fill(row)

    async def executions_since(self, ts: int) -> list[Execution]:
        return [self._wire.execution(row) for row in self._heard if row["ts"] >= ts]


@caught_at("C42")
class OpenOrdersForgottenAtStart(FakeExchange):
    async def open_orders(self) -> list[OrderReport]:
        known = set(self._orders)
        return [report for report in await super().open_orders() if report.id in known]


@caught_at("C43")
class LostAnswerTakenForARefusal(FakeExchange):
    class link(Link):
        async def ask(self, verb: str, sent: Row, *, urgent: bool = False) -> Any:
            try:
                return await super().ask(verb, sent, urgent=urgent)
            except LostAnswer as lost:
                raise ExchangeError(lost.message) from None


@caught_at("C43")
class SentAgainUnderAnotherId(FakeExchange):
    async def _send(self, verb: str, order_id: str, body: Row) -> None:
        for attempt in ("", "-2"):
            with suppress(LostAnswer):
                self._hear_order(await self._link.ask(verb, {**body, "cid": order_id + attempt}))
                return


@caught_at("C44")
class LostWithoutAnEnd(FakeExchange):
    def _tell_order(self, order_id: str, if_new: OrderStatus, **changes: Any) -> None:
        super()._tell_order(order_id, if_new, **{**changes, "expires": 0})


@caught_at("C45")
class LostCancelForgotten(FakeExchange):
    async def _send(self, verb: str, order_id: str, body: Row) -> None:
        if verb != "cancel":
            await super()._send(verb, order_id, body)
        else:
            with suppress(ExchangeError):
                await self._link.ask(verb, body)

    def _hear_order(self, row: Row) -> None:
        if row["state"] != "canceled":
            super()._hear_order(row)


@caught_at("C46")
class LostAmendTakenForARefusal(FakeExchange):
    def _tell_order(self, order_id: str, if_new: OrderStatus, **changes: Any) -> None:
        if changes.get("lost") == "amend":
            changes = {"refused": "amend", "reason": "no answer"}
        super()._tell_order(order_id, if_new, **changes)


@caught_at("C47")
class IdsOfItsOwn(FakeExchange):
    """Numbers fills as they come instead of taking the exchange's id."""

    count = 0

    def _hear_fill(self, row: Row) -> None:
        self.count += 1
        super()._hear_fill({**row, "id": f"f{self.count}"})


@caught_at("C48")
class FillsTakenFromAnswersAlone(FakeExchange):
    def _hear_order(self, row: Row) -> None:
        if not row.get("type"):
            super()._hear_order(row)


@caught_at("C49")
class SignedWithALateClock(FakeExchange):
    class link(Link):
        async def read_clock(self) -> None:
            pass


@caught_at("C50")
class RequestsThatOutliveIt(FakeExchange):
    async def _send(self, verb: str, order_id: str, body: Row) -> None:
        self.forgotten = asyncio.create_task(self._slowly(super()._send(verb, order_id, body)), name="a request")

    async def _slowly(self, work: Coroutine[Any, Any, None]) -> None:
        await work
        await asyncio.sleep(60)


@caught_at("C51")
class WrongKeyAnyError(FakeExchange):
    class link(Link):
        async def ask(self, verb: str, sent: Row, *, urgent: bool = False) -> Any:
            try:
                return await super().ask(verb, sent, urgent=urgent)
            except ExchangeError as error:
                raise ExchangeError(error.message) from None


@caught_at("C52")
class SecretInALogLine(FakeExchange):
    async def open(self, listener: Listener) -> None:
        self._log.debug("logging in", key=self._connection.api_key, secret=self._connection.api_secret.reveal())
        await super().open(listener)


@caught_at("C53")
class AStreamForEachBreak(FakeExchange):
    def _tell(self, what: str, value: object) -> None:
        super()._tell(what, value)
        if what == "on_disconnected" and self._listener is not None:
            self._start(self._run())


def contract_of(mutant: Callable[[Connection], Exchange]) -> ConnectorContract:
    return type("Mutant", (Contract,), {"connector": mutant})()


@pytest.mark.parametrize("mutant", PLANTED, ids=lambda mutant: f"{PLANTED[mutant]}-{mutant.__name__}")
def test_a_planted_bug_is_caught_at_its_case(mutant: type[FakeExchange]) -> None:
    suite = contract_of(mutant)
    (case,) = (one for one in cases(Contract) if one.number == PLANTED[mutant])
    with pytest.raises(Broken) as caught:
        suite.play(case)
    text = str(caught.value)
    assert all(word in text for word in ("expected: ", "came: ", "contract: hbkit."))


def test_every_case_has_a_bug_that_it_catches() -> None:
    assert {one.number for one in cases(Contract)} == set(PLANTED.values())


def test_without_a_bug_it_is_gold() -> None:
    found = score(Contract)
    assert {one.case.number: one.why for one in found.outcomes if one.state is not State.PASSED} == {}
    assert found.grade is Level.GOLD


class Untraded(FakeExchange):
    """Only listens, and says so."""

    capabilities = Capabilities(channels=frozenset({Channel.TRADE, Channel.BOOK}), time_in_force=frozenset())

    def submit(self, request: OrderRequest) -> None:
        raise Unsupported(f"{self.name} takes no orders")

    def set_position_mode(self, mode: PositionMode) -> None:
        raise Unsupported(f"{self.name} does not switch to {mode}")

    def set_leverage(self, instrument: Instrument, leverage: float, side: PositionSide = PositionSide.NET) -> None:
        raise Unsupported(f"{self.name} sets no leverage of {leverage} for {instrument} {side}")


def test_what_is_not_declared_is_shown_as_such_and_does_not_count() -> None:
    found = score(type(contract_of(Untraded)))
    states = {one.case.number: one.state for one in found.outcomes}
    assert states["C03"] is states["C05"] is states["C39"] is State.PASSED
    assert {states[number] for number in ("C04", "C08", "C21", "C43")} == {State.NOT_DECLARED}
    # Nothing of silver is declared, so that nothing of it fails; silver it is not.
    assert (found.grade, found.failed) == (Level.BRONZE, [])


def test_what_cannot_be_staged_keeps_a_grade_open() -> None:
    class Clumsy(FakeVenue):
        def late_reply(self, request: str, seconds: float) -> None:
            Venue.late_reply(self, request, seconds)

    class Short(Contract):
        @asynccontextmanager
        async def venue(self, loop: VirtualLoop) -> AsyncIterator[Venue]:
            venue = Clumsy(loop)
            yield venue
            venue.close()

    found = score(Short)
    assert [one.case.number for one in found.outcomes if one.state is State.NOT_STAGED] == ["C48"]
    assert (found.grade, found.failed) == (Level.SILVER, [])


def test_a_case_that_hangs_is_ended() -> None:
    class Hanging(FakeExchange):
        async def open(self, listener: Listener) -> None:
            await asyncio.Event().wait()

    (case,) = (one for one in cases(Contract) if one.number == "C02")
    with pytest.raises(Broken, match="it hangs"):
        contract_of(Hanging).play(case)
