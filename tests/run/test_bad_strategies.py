"""Clumsy and hostile strategies: each is caught with its place and the mend, and no other stops."""

import re

import pytest

CONFIG = """
exchanges:
  left: {plugin: bitmex_perpetual, mode: replay, replay: {data: x.csv}}
  right: {plugin: bitmex_perpetual, mode: replay, replay: {data: x.csv}}
strategies:
  - {use: one, exchange: left, instruments: [XBTUSD]}
  - {use: good, exchange: right, instruments: [XBTUSD]}
"""
GOOD = """
def on_candle(self, candle):
    self.target_position(100 * (1 + len(self.closes(99)) % 2))
"""
RUNNING = [
    # name, body, what is said
    (
        "exception",
        "def on_candle(self, candle):\n    1 / 0",
        r"ZeroDivisionError: division by zero at FILE:7 in on_candle on Candle",
    ),
    ("exit", "def on_candle(self, candle):\n    raise SystemExit(3)", r"SystemExit: 3 at FILE:7 in on_candle"),
    (
        "interrupt",
        "def on_candle(self, candle):\n    raise KeyboardInterrupt",
        r"KeyboardInterrupt:  at FILE:7 in on_candle",
    ),
    (
        "cancelled",
        "def on_candle(self, candle):\n    import asyncio\n    raise asyncio.CancelledError",
        r"CancelledError:  at FILE:8 in on_candle",
    ),
    (
        "recursion",
        "def on_candle(self, candle):\n    self.on_candle(candle)",
        r"RecursionError: .* at FILE:7 in on_candle",
    ),
    ("timer", "def on_start(self):\n    self.every(60, lambda: [][1])", r"IndexError: .* at FILE:7 in timer"),
    (
        "timer that asks for itself",
        "def on_start(self): self.again()\ndef again(self): self.at(self.now, self.again)",
        r"asked for 10,000 timers that are due at once.*let time pass.* at FILE:7 in timer",
    ),
    (
        "timer that was called already",
        "def on_start(self): self.every(60, self.log.info('now'))",
        r"every\(60\): None is no function; hand over self.renew itself, without calling it at FILE:6 in on_start",
    ),
    (
        "timer that would wait",
        "def on_start(self): self.every(60, self.renew)\nasync def renew(self): self.buy(100)",
        r"every\(60\): renew is async; a timer calls a plain function: write def renew\(self\) at FILE:6 in on_start",
    ),
    ("text for seconds", "def on_start(self): self.every('10s', print)", r"every\('10s'\): the interval must be"),
    (
        "seconds for nanoseconds",
        "def on_start(self): self.at(1626912000, print)",
        r"at\(1626912000\): times are nanoseconds since the epoch, as self.now; or write ISO text at FILE:6",
    ),
    (
        "misspelt name",
        "def on_candle(self, candle):\n    self.last_qoute",
        r"no attribute 'last_qoute'; did you mean \\?\"last_quote\\?\"\? at FILE:7 in on_candle",
    ),
    (
        "half a candle",
        "def on_candle(self, candle):\n    self.closes(5 / 2)",
        r"the last 2.5 candles: write how many as a whole number, such as 20 at FILE:7 in on_candle",
    ),
    (
        "leverage beyond the contract",
        "def on_start(self): self.set_leverage(500)",
        r"set_leverage\(500\): XBTUSD allows 100 at most at FILE:6 in on_start",
    ),
    (
        "flood",
        "def on_candle(self, candle):\n    while True: self.buy(100)",
        r"sent 1,000 orders within a minute: is this a loop\?.*max_orders_per_minute \(1000\).* at FILE:7 in on_candle",
    ),
    (
        "flood of what is refused",
        "def on_candle(self, candle):\n    while True: self.buy(1)",
        r"had refused 10,000 orders within a minute.* at FILE:7 in on_candle",
    ),
    (
        "flood of answers",
        "def on_start(self): self.buy(1)\ndef on_order(self, order): self.buy(1)",
        r"had refused 10,000 orders within a minute.* at FILE:7 in on_order",
    ),
    (
        "NaN quantity",
        "def on_candle(self, candle):\n    self.buy(float('nan'))",
        r"buy\(nan\) of XBTUSD: .*must be a finite number at FILE:7",
    ),
    (
        "infinite price",
        "def on_candle(self, candle):\n    self.sell(100, float('inf'))",
        r"sell of XBTUSD at inf: .*must be a finite number at FILE:7",
    ),
    (
        "NaN target",
        "def on_candle(self, candle):\n    self.target_position(float('nan'))",
        r"target_position\(nan\) of XBTUSD: .* at FILE:7",
    ),
    (
        "NaN quote",
        "def on_candle(self, candle):\n    self.quote([(float('nan'), 100)])",
        r"quote of XBTUSD at nan: .* at FILE:7",
    ),
    (
        "text for a price",
        "def on_candle(self, candle):\n    self.buy(100, 'cheap')",
        r"buy of XBTUSD at 'cheap'.* at FILE:7",
    ),
    (
        "unknown instrument",
        "def on_candle(self, candle):\n    self.market('XBTUSDD')",
        r'has no instrument "XBTUSDD"; did you mean "XBTUSD"\? at FILE:7',
    ),
    (
        "value changed",
        "def on_candle(self, candle):\n    candle.close = 1.0",
        r"AttributeError: immutable type: 'Candle' at FILE:7",
    ),
    (
        "column changed",
        "def on_candle(self, candle):\n    self.closes(3)[0] = 1.0",
        r"ValueError: assignment destination is read-only at FILE:7",
    ),
    (
        "a large state",
        "def on_candle(self, candle):\n    self.state['all'] = list(range(10**6))",
        r'self.state\["all"\] would be 7,888,890 bytes, at most 1,048,576 are kept.* at FILE:7',
    ),
    (
        "many states",
        "def on_candle(self, candle):\n    for at in range(10**6): self.state[str(at)] = at",
        r'self.state\["10000"\]: there are 10,000 keys already.* at FILE:7',
    ),
    (
        "an indicator of one's own",
        "def on_start(self):\n    class Bad(list):\n        def add(self, value): 1 / 0\n"
        "    self.bad = self.indicator(Bad)\n"
        "def on_candle(self, candle): pass",
        r"ZeroDivisionError: division by zero at FILE:8 in indicator on Candle",
    ),
]


@pytest.mark.parametrize(("body", "said"), [one[1:] for one in RUNNING], ids=[one[0] for one in RUNNING])
def test_it_is_caught_where_it_is_and_the_other_goes_on(bench, body, said):
    bench.candles(*[10_000] * 5)
    bench.strategy(body)
    bench.strategy(GOOD, "good")
    done = bench.backtest(config=CONFIG)
    # One strategy failed and the other ended well: the run did what it could.
    assert done.code == 0, done.err
    text = done.err.replace('\\"', '"')
    assert re.search(r"error\[HB\d+\] strategy one: .*" + said.replace("FILE", "strategies/one.py"), text), done.err
    one, good = done.json["strategies"]
    assert good["orders"] == 5
    assert one["orders"] <= 1_000
    assert not [line for line in done.err.splitlines() if line.startswith("Traceback")]


AT_START = [
    (
        "misspelt",
        "def on_tade(self, trade): pass",
        r"error\[HB303\] strategies/one.py:6 One has on_tade; no such callback. Did you mean \"on_trade\"\?",
    ),
    ("async", "async def on_trade(self, trade): pass", r"error\[HB304\] strategies/one.py:6 One.on_trade is async"),
    (
        "arguments",
        "def on_trade(self): pass",
        r"error\[HB303\] strategies/one.py:6 One.on_trade must be def on_trade\(self, trade\)",
    ),
    (
        "a list as a parameter",
        "levels: list = Param([])",
        r"error\[HB301\] strategies/one.py:5 TypeError: One.levels has a mutable default",
    ),
    (
        "a hook misspelt",
        "@hookimpl\ndef hbkit_chek_order(self): pass",
        r"error\[HB203\] .*strategies/one.py:\d+ One has the hook hbkit_chek_order.*hbkit_check_order",
    ),
    (
        "a market in __init__",
        "def __init__(self): self.buy(1)",
        r"in __init__ there is no market.*do it in on_start at strategies/one.py:6",
    ),
]


@pytest.mark.parametrize(("body", "said"), [one[1:] for one in AT_START], ids=[one[0] for one in AT_START])
def test_what_cannot_work_is_found_before_anything_starts(bench, body, said):
    bench.candles(*[10_000] * 5)
    bench.strategy(body)
    bench.strategy(GOOD, "good")
    done = bench.backtest(config=CONFIG)
    assert done.code in (2, 5)
    assert re.search(said, done.err), done.err
    assert not bench.left_behind


def test_an_object_that_all_strategies_of_a_class_would_share_is_a_warning(bench):
    bench.candles(*[10_000] * 3)
    bench.strategy("seen = []\nSTEPS = [1, 2]\n" + GOOD)
    bench.strategy(GOOD, "good")
    done = bench.backtest(config=CONFIG)
    assert done.code == 0
    text = " ".join(done.out.split())
    assert "warning[HB302] strategies/one.py:6 One.seen = [] is one object for every strategy of this class" in text
    assert "STEPS" not in text


def test_with_continue_a_flood_is_stopped_again_and_again_and_the_strategy_goes_on(bench):
    bench.candles(*[10_000] * 4)
    bench.strategy("def on_candle(self, candle):\n    print('begun')\n    while True: self.buy(100)")
    more = "left, instruments: [XBTUSD], on_error: continue, max_orders_per_minute: 10}"
    config = CONFIG.replace("left, instruments: [XBTUSD]}", more)
    bench.strategy(GOOD, "good")
    done = bench.backtest(config=config)
    assert done.out.count("begun") == 4
    # Ten at the first close; at the next, a minute later, those are a minute old.
    assert done.json["strategies"][0]["orders"] == 40


def test_a_ctrl_c_that_reaches_a_callback_is_no_failure_of_the_strategy():
    from hbkit.runtime.host import _is_raised_by_hand

    def of(call):
        try:
            call()
        except KeyboardInterrupt as error:
            return error

    def by_hand():
        raise KeyboardInterrupt

    import signal

    assert _is_raised_by_hand(of(by_hand))
    assert not _is_raised_by_hand(of(lambda: signal.default_int_handler(2, None)))


def test_the_book_is_everybodys_and_cannot_be_changed(bench):
    bench.strategy("""
    def on_start(self): self.failed = 0
    def on_book(self, book):
        mine, best = book.prices("buy"), book.best_bid_ticks
        mine.clear()
        assert (book.best_bid_ticks, len(book.bids())) == (best, 25) and book is self.book
        try:
            book.clear()
        except Exception as error:
            print("said", error)
            raise
    """)
    bench.write(
        "c.yaml",
        """
    exchanges: {bitmex_perpetual: {mode: replay, replay: {from: 2019-05-28T19:22:00Z}}}
    strategies: [{use: one, instruments: [XBTUSD]}]
    run: {duration: 2s}
    """,
    )
    done = bench.hbkit("run", "c.yaml")
    assert done.code == 5
    assert "book.clear(): the book is the exchange's, and everybody reads it" in done.err
    assert "strategies/one.py:12 in on_book" in done.err
