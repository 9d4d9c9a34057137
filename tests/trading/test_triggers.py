"""What a strategy's trigger means: a stop or a take profit, never by guess; and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hbkit.errors import StrategyError
from hbkit.model import OrderRequest, TriggerBy, TriggerKind


def sent(room: Any) -> OrderRequest:
    """The request of the order that the exchange got last."""
    room.wait()
    return list(room.account.orders.values())[-1].request  # type: ignore[no-any-return]


# The market stands at 99.5 / 100.5 and traded at 100; no mark is recorded here, the last price stands in for it.
@pytest.mark.parametrize(
    ("side", "trigger", "kind"),
    [
        ("buy", 105, TriggerKind.STOP),
        ("buy", 95, TriggerKind.TAKE_PROFIT),
        ("sell", 95, TriggerKind.STOP),
        ("sell", 105, TriggerKind.TAKE_PROFIT),
    ],
)
def test_a_trigger_beyond_the_market_is_a_stop_and_before_it_a_take_profit(
    room: Any, side: str, trigger: float, kind: TriggerKind
) -> None:
    room.trade(100, 10, 1)
    order = getattr(room.bot, side)(10, trigger_price=trigger)
    request = sent(room)
    assert (request.trigger_kind, request.trigger_by, request.type) == (kind, TriggerBy.MARK, "market")
    assert (order.price, order.trigger_price) == (None, trigger)
    assert [one.status for one in room.bot.heard] == ["untriggered"]


@pytest.mark.parametrize("word", ["stop", "take_profit"])
def test_the_kind_that_is_named_is_taken_whatever_the_market_does(room: Any, word: str) -> None:
    room.trade(100, 10, 1)
    room.bot.sell(10, 95, trigger_price=96, trigger_by="last", trigger_kind=word)
    room.wait()
    # 100 >= 96: the take profit fires at once and rests at 95 no longer than it takes to meet the bid at 99.5.
    assert room.bot.heard[-1].status == ("untriggered" if word == "stop" else "filled")


def test_without_a_known_price_the_kind_has_to_be_named(room: Any) -> None:
    order = room.bot.sell(10, trigger_price=95)
    assert order.status == "rejected"
    assert order.reason == (
        "the mark price of ABC is not known yet, so the trigger has no side: "
        'say trigger_kind="stop" or trigger_kind="take_profit"'
    )
    assert room.intents() == []
    assert room.bot.sell(10, trigger_price=95, trigger_kind="stop").status == "pending"


@pytest.mark.parametrize(("trigger", "where"), [(100, "100"), (101, "100 to 102"), (102, "100 to 102")])
def test_a_trigger_that_lies_where_the_market_is_is_refused(room: Any, trigger: float, where: str) -> None:
    room.trade(100, 10, 1)
    if where != "100":
        room.exchange._markets[room.instrument].marked(102.0)
    order = room.bot.sell(10, trigger_price=trigger)
    assert order.status == "rejected"
    assert order.reason.startswith(f"trigger_price {trigger} lies where the market is ({where}): say trigger_kind=")


def test_a_price_that_is_not_there_is_no_trigger(room: Any) -> None:
    room.trade(100, 10, 1)
    order = room.bot.sell(10, trigger_price=95, trigger_by="index")
    assert order.reason == "ABC has no index price to trigger by; it has last, mark"


# Tick 0.5: what lies between two ticks fires later, never sooner.
@pytest.mark.parametrize(
    ("side", "trigger", "ticks"), [("buy", 105.2, 211), ("sell", 94.8, 189), ("buy", 94.8, 189), ("sell", 105.2, 211)]
)
def test_a_trigger_is_rounded_away_from_the_market(room: Any, side: str, trigger: float, ticks: int) -> None:
    room.trade(100, 10, 1)
    getattr(room.bot, side)(10, trigger_price=trigger)
    assert sent(room).trigger_ticks == ticks


@pytest.mark.parametrize(("side", "ticks"), [("buy", 5), ("sell", -5)])
def test_a_trailing_stop_follows_at_its_distance(room: Any, side: str, ticks: int) -> None:
    room.trade(100, 10, 1)
    getattr(room.bot, side)(10, trail=2.3)  # 4.6 ticks
    request = sent(room)
    assert (request.trail_ticks, request.trigger_ticks, request.trigger_kind) == (ticks, None, "stop")
    assert room.bot.orders[0].trigger_price == 100 + ticks * 0.5
    assert room.intents()[-1][14:] == ("", "mark", "stop", f"{ticks * 0.5:g}", "")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"trigger_by": "last"}, "buy of ABC: trigger_by and trigger_kind go with trigger_price or trail"),
        ({"trigger_kind": "stop"}, "buy of ABC: trigger_by and trigger_kind go with trigger_price or trail"),
        ({"trigger_price": 105, "trail": 1}, "buy of ABC: trail sets the trigger, leave trigger_price out"),
        ({"trail": 1, "trigger_kind": "take_profit"}, "buy of ABC: only a stop can trail; leave trigger_kind out"),
        ({"trail": 0}, "buy of ABC: trail is 0; it must be above 0, one tick is 0.5"),
        ({"trail": -1}, "buy of ABC: trail is -1; it must be above 0, one tick is 0.5"),
        ({"trigger_price": float("nan")}, "buy of ABC: trigger_price is nan: "),
        ({"trigger_price": 0}, "buy of ABC: trigger_price is 0; it must be above 0, one tick is 0.5"),
        ({"trigger_price": 105, "trigger_by": "bid"}, 'trigger_by is "bid"; it is one of mark, last, index'),
        ({"trigger_price": 105, "trigger_kind": "tp"}, 'trigger_kind is "tp"; it is one of stop, take_profit'),
        ({"price": 90, "display_qty": -1}, "display_qty is -1; it is 0 to hide the order, or at least one lot of 10"),
        ({"price": 90, "display_qty": 5}, "display_qty is 5; it is 0 to hide the order, or at least one lot of 10"),
        ({"price": 90, "display_qty": "x"}, "display_qty is 'x': "),
    ],
    ids=str,
)
def test_a_call_that_can_mean_nothing_raises(room: Any, options: dict[str, Any], message: str) -> None:
    room.trade(100, 10, 1)
    with pytest.raises(StrategyError) as error:
        room.bot.buy(10, **options)
    assert str(error.value).split("] ")[-1].startswith(message)
    assert room.intents() == []


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"display_qty": 10}, "display_qty needs a price: a market order does not rest"),
        ({"price": 90, "display_qty": 30}, "display_qty 30 is more than the quantity"),
        ({"trigger_price": 105, "post_only": True}, "post_only does not go with a market order"),
    ],
    ids=str,
)
def test_what_does_not_go_together_is_rejected(room: Any, options: dict[str, Any], reason: str) -> None:
    room.trade(100, 10, 1)
    assert room.bot.buy(20, **options).reason == reason
    assert room.intents() == []


def test_the_order_tells_when_it_triggers_and_when_it_fills(room: Any) -> None:
    room.trade(100, 10, 1)
    room.bot.sell(10, 94, trigger_price=95, trigger_by="last", tag="stop")
    room.wait()
    room.quote(94.5, 95.5)
    room.trade(94.5, 10, -1)
    assert [(one.status, one.trigger_price) for one in room.bot.heard] == [
        ("untriggered", 95), ("open", 95), ("filled", 95),
    ]  # fmt: skip
    assert [(fill.price, fill.qty) for fill in room.bot.filled] == [(94.5, 10)]
    assert room.held == -10


def test_the_trigger_of_an_order_can_be_amended_until_it_fires(room: Any) -> None:
    room.trade(100, 10, 1)
    order = room.bot.sell(10, 94, trigger_price=95, trigger_by="last")
    room.bot.market(order.instrument).amend(order, trigger_price=96)
    room.bot.amend(order, price=93)  # keeps what is on its way
    room.wait()
    (waiting,) = room.bot.orders
    assert (waiting.status, waiting.price, waiting.trigger_price) == ("untriggered", 93, 96)
    assert [row[14] for row in room.intents()] == ["95", "96", "96"]
    room.trade(96, 10, -1)
    room.bot.amend(order, trigger_price=97)
    assert room.bot.filled[0].price == 99.5


def test_an_order_without_a_trigger_has_none_to_amend(room: Any) -> None:
    room.trade(100, 10, 1)
    plain, trailing = room.bot.buy(10, 90), room.bot.sell(10, trail=5)
    with pytest.raises(StrategyError, match="trigger_price is given but the order has no trigger"):
        room.bot.amend(plain, trigger_price=95)
    with pytest.raises(StrategyError, match="the order trails the market; cancel and place anew"):
        room.bot.amend(trailing, trigger_price=95)


def test_a_stop_is_no_way_to_a_target_but_counts_for_the_caps(make_room: Callable[..., Any]) -> None:
    room = make_room(max_position=30)
    room.trade(100, 10, 1)
    room.bot.buy(20)
    room.wait()
    room.bot.sell(20, trigger_price=95, reduce_only=True)
    room.wait()
    # The stop is not taken for a sale that is about to happen: the target is 10 lower than what is held, and no more.
    assert [(one.side, one.qty) for one in room.bot.target_position(10)] == [("sell", 10)]
    room.wait()
    refused = room.bot.buy(30, trigger_price=105)
    assert "max_position" in refused.reason


def test_an_iceberg_shows_a_part(room: Any) -> None:
    room.bot.buy(100, 90, display_qty=20)
    room.bot.buy(100, 91, display_qty=0)
    room.wait()
    market = room.exchange._markets[room.instrument]
    # 90 are 180 ticks; of the order at 91 nothing is shown.
    assert {level[1]: units for level, units in market.inside().items()} == {180: 20}
    assert [row[18] for row in room.intents()] == ["20", "0"]
