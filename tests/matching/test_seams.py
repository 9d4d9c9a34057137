"""The seams a venue uses: asking what an order lacks, funding one account, and what is left of a level."""

from decimal import Decimal

from hbkit.matching import Account, Engine, Queue
from hbkit.model import Currency, Instrument, InstrumentKind, OrderRequest, OrderType, PositionSide, Side

XBT = Currency("XBT", 8)
INVERSE = Instrument(
    exchange="x",
    symbol="XBTUSD",
    unified="BTC/USD:BTC",
    kind=InstrumentKind.INVERSE,
    base="XBT",
    quote="USD",
    settle=XBT,
    tick_size=Decimal("0.5"),
    lot_size=Decimal(100),
    unit_size=Decimal(1),
    multiplier=Decimal(100_000_000),
    maker_fee=Decimal("0.0005"),
    taker_fee=Decimal("0.0005"),
    value_per_lot=True,
    init_margin=Decimal("0.01"),
    maint_margin=Decimal("0.005"),
)


def venue():
    numbers = iter(range(1_000_000))
    engine = Engine(lambda: f"id{next(numbers)}")
    market = engine.add_market(INVERSE, Queue(), has_book=True)
    accounts = [Account(name, {XBT: 1_000_000}, engine.reference_price) for name in ("a", "b")]
    for account in accounts:
        engine.add_account(account)
    return engine, market, accounts


def order(side, units, price=None, order_id="o"):
    ticks = None if price is None else INVERSE.ticks(price)
    kind = OrderType.MARKET if price is None else OrderType.LIMIT
    return OrderRequest(order_id, INVERSE, side, PositionSide.NET, kind, units, ticks)


def test_shortage_is_asked_without_changing_anything():
    engine, market, (account, _) = venue()
    market.level(Side.SELL, INVERSE.ticks(50_000), 1_000_000)
    # 100,000 at 50000 is 2 XBT; at 0.01 + 0.0005 of it 2,100,000 are needed.
    assert engine.shortage(account, order(Side.BUY, 100_000, 50_000)) == (2_100_000, XBT)
    assert engine.shortage(account, order(Side.BUY, 10_000, 50_000)) is None
    assert (account.orders, engine.out) == ({}, [])


def test_amend_shortage_leaves_the_order_as_it_was():
    engine, _, (account, _) = venue()
    engine.submit(account, order(Side.BUY, 10_000, 50_000), 1)
    before = account.order_margin(INVERSE, PositionSide.NET)
    assert engine.amend_shortage(account, "o", INVERSE.ticks(50_000), 100_000) == (2_100_000, XBT)
    assert account.order_margin(INVERSE, PositionSide.NET) == before == 210_000
    assert account.orders["o"].units == 10_000


def test_funding_one_account_leaves_the_others_alone():
    engine, market, (one, two) = venue()
    market.level(Side.SELL, INVERSE.ticks(50_000), 1_000_000)
    for account in (one, two):
        engine.submit(account, order(Side.BUY, 10_000, order_id=account.name), 1)
    market.mark = 50_000.0
    engine.out.clear()
    engine.fund_account(one, INVERSE, 0.0001, 2)
    assert [event.fee for event in engine.out] == [2000]
    assert (one.funding["XBT"], two.funding["XBT"]) == (-2000, 0)


def test_less_than_a_lot_that_was_left_over_is_no_level():
    engine, market, (account, _) = venue()
    ticks = INVERSE.ticks(50_000)
    market.level(Side.SELL, ticks, 1050)
    engine.submit(account, order(Side.BUY, 1000, 50_000), 1)
    assert market.available(Side.SELL, ticks) == 0
    engine.submit(account, order(Side.BUY, 100, 50_000, order_id="next"), 2)
    # It rests where nothing it could take stands against it.
    assert market.best(Side.SELL) is None
    assert account.orders["next"].leaves == 100
