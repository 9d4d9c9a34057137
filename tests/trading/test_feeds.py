"""What a strategy defines or reads is what it is subscribed to, wherever in the class that stands."""

from functools import cached_property, partialmethod, wraps
from typing import Any

import pytest

from hbkit.exchange import Channel
from hbkit.trading.feeds import BY_CALLBACK, BY_READING, needed
from hbkit.trading.strategy import Strategy


def channels(body: dict[str, Any], *bases: type) -> frozenset[Channel]:
    return needed(type("Sample", (*bases, Strategy), body), Strategy)


@pytest.mark.parametrize(("callback", "channel"), BY_CALLBACK.items())
def test_a_callback_that_is_defined_is_a_subscription(callback: str, channel: Channel) -> None:
    assert channels({callback: lambda self, event: None}) == {channel}


@pytest.mark.parametrize(("name", "channel"), BY_READING.items())
def test_reading_what_only_a_feed_fills_is_one_too(name: str, channel: Channel) -> None:
    scope: dict[str, Any] = {}
    exec(f"def on_start(self): return self.{name}", scope)
    assert channels({"on_start": scope["on_start"]}) == {channel}


def logged(method: Any) -> Any:
    @wraps(method)
    def wrapper(self: Any) -> Any:
        return method(self)

    return wrapper


class Nested:
    def on_start(self: Any) -> None:
        def inside() -> Any:
            return lambda: self.book

        inside()


class Comprehension:
    def on_start(self: Any) -> None:
        [str(book) for book in [self.book]]


class OfAMarket:
    def on_start(self: Any) -> None:
        self.market("XYZ").book  # noqa: B018


class Helper:
    def spread(self: Any) -> Any:
        return self.book


class Property:
    @property
    def spread(self: Any) -> Any:
        return self.book


class Cached:
    @cached_property
    def spread(self: Any) -> Any:
        return self.book


class Decorated:
    @logged
    def spread(self: Any) -> Any:
        return self.book


class Static:
    @staticmethod
    def spread(strategy: Any) -> Any:
        return strategy.book


class OfTheClass:
    @classmethod
    def spread(cls, strategy: Any) -> Any:
        return strategy.book


class Partial:
    def _top(self: Any, side: str) -> Any:
        return side

    bid = partialmethod(lambda self, side: self.book, "bid")


class Lambda:
    spread = lambda self: self.book  # noqa: E731


class Coroutine:
    async def on_start(self: Any) -> None:
        self.book  # noqa: B018


@pytest.mark.parametrize(
    "where",
    [
        Nested, Comprehension, OfAMarket, Helper, Property, Cached, Decorated, Static, OfTheClass, Partial, Lambda,
        Coroutine,
    ],
)  # fmt: skip
def test_reading_is_found_wherever_it_stands(where: type) -> None:
    assert channels(dict(vars(where))) == {Channel.BOOK}
    assert channels({}, where) == {Channel.BOOK}


def test_a_helper_behind_the_strategy_is_read_as_well() -> None:
    assert needed(type("Sample", (Strategy, Helper), {}), Strategy) == {Channel.BOOK}


class Words:
    """Speaks of self.book, but does not read it."""

    def on_fill(self, fill: Any) -> None:
        book = "self.book"
        candles = [book]
        print(candles, closes())  # noqa: T201


class Writing:
    def on_start(self: Any) -> None:
        self.closes = []


def closes() -> None:
    """A function of that name is not the strategy's."""


@pytest.mark.parametrize("where", [Words, Writing])
def test_nothing_else_subscribes(where: type) -> None:
    assert channels(dict(vars(where))) == frozenset()


def test_orders_positions_and_money_are_no_feed() -> None:
    def on_start(self: Any) -> None:
        print(self.orders, self.position, self.account, self.state, self.now)  # noqa: T201

    body = {"on_start": on_start, "on_order": on_start, "on_fill": on_start, "on_balance": on_start}
    assert channels(body) == frozenset()


def test_a_function_of_the_same_file_that_a_method_calls_counts_too():
    class Reads(Strategy):
        def on_trade(self, trade):
            _middle(self)

    class Stranger(Strategy):
        def on_trade(self, trade):
            needed(Reads, Strategy)

    assert needed(Reads, Strategy) == {Channel.TRADE, Channel.BOOK, Channel.MARK}
    # A function of another file is not looked into: what it reads need not be a strategy's.
    assert needed(Stranger, Strategy) == {Channel.TRADE}


def _middle(strategy):
    return strategy.book.mid or _mark(strategy)


def _mark(strategy):
    return strategy.mark_price if strategy else _middle(strategy)
