"""The typed settings: every built key, its default, its shapes, and what is refused in which words."""

from __future__ import annotations

from decimal import Decimal

import pytest
from pydantic import ValidationError

from hbkit.clock import DAY, SECOND, parse_time
from hbkit.config.check import build_settings
from hbkit.config.document import read_document
from hbkit.config.settings import Settings
from hbkit.errors import Faults

START = """\
exchanges:
  bitmex_perpetual: {mode: simulator}
strategies:
  - use: market_maker
    instruments: [XBTUSD]
"""


def build(text: str) -> tuple[Settings | None, list[tuple[str, str, str]]]:
    faults = Faults()
    root = read_document(text, "x.yaml", faults)
    assert root is not None
    settings = build_settings(root, "demo", faults)
    return settings, [(fault.code, fault.place.removeprefix("x.yaml:"), fault.message) for fault in faults.found]


def good(text: str) -> Settings:
    settings, faults = build(text)
    assert faults == []
    assert settings is not None
    return settings


def test_smallest_config_takes_every_default() -> None:
    settings = good(START)
    exchange = settings.exchanges["bitmex_perpetual"]
    assert (exchange.mode, exchange.plugin, exchange.position_mode, exchange.fill_model) == ("simulator",) + (None,) * 3
    assert (exchange.margin.mode, exchange.margin.leverage, exchange.balances, exchange.latency) == (None, None, {}, 0)
    assert (exchange.replay.data, exchange.replay.from_ts, exchange.replay.to_ts) == ((), None, None)
    [strategy] = settings.strategies
    assert (strategy.name, strategy.exchange, strategy.on_error) == ("market_maker", "bitmex_perpetual", "stop")
    assert (strategy.params, strategy.candles) == ({}, ())
    assert strategy.pairs == [("bitmex_perpetual", "XBTUSD")]
    assert (settings.run.name, settings.run.dir, settings.run.duration, settings.run.seed) == ("demo", "runs", None, 0)
    risk = settings.risk
    assert (risk.max_position, risk.max_order_qty, risk.max_orders_per_minute, risk.max_drawdown) == (None,) * 4
    assert (settings.state.dir, settings.state.durability) == ("state", "process")
    assert (settings.plugins.load, settings.plugins.block) == ((), ())
    assert settings.log.level == "info"


def test_every_key_is_read() -> None:
    settings = good(
        """
exchanges:
  perp:
    mode: replay
    plugin: bitmex_perpetual
    position_mode: hedge
    margin: {mode: isolated, leverage: 2.5}
    balances: {XBT: 1, USDT: 0.1}
    latency: 50ms
    fill_model: queue
    replay: {data: {XBTUSD: [a.csv, b.csv], ETHUSD: c}, from: 2019-05-28, to: "2019-05-29T00:00:00Z"}
  bitmex:
strategies:
  - use: strategies/grid.py:Grid
    name: grid-1
    exchange: perp
    instruments: [XBTUSD, {exchange: bitmex, symbol: XBT_USDT}, XBTUSD]
    params: {spread_bps: 8, step: 1e-8, on: true, words: [a, 1], empty: }
    candles: [1m, 1h, 1m]
    on_error: continue
risk: {max_position: 1000, max_order_qty: 0.5, max_orders_per_minute: 60, max_drawdown: 5%}
run: {name: a.b-c_1, dir: out, duration: 1m30s, seed: 7}
state: {dir: kept, durability: power}
plugins: {load: [mine.py, mine.py], block: [other]}
log: {level: debug}
"""
    )
    perp = settings.exchanges["perp"]
    assert (perp.mode, perp.plugin, perp.position_mode) == ("replay", "bitmex_perpetual", "hedge")
    assert (perp.margin.mode, perp.margin.leverage) == ("isolated", Decimal("2.5"))
    assert perp.balances == {"XBT": Decimal(1), "USDT": Decimal("0.1")}
    assert (perp.latency, perp.fill_model) == (50_000_000, "queue")
    assert perp.replay.data == {"XBTUSD": ("a.csv", "b.csv"), "ETHUSD": ("c",)}
    assert (perp.replay.from_ts, perp.replay.to_ts) == (parse_time("2019-05-28"), parse_time("2019-05-29"))
    [grid] = settings.strategies
    assert grid.pairs == [("perp", "XBTUSD"), ("bitmex", "XBT_USDT")]
    assert grid.params == {
        "spread_bps": 8, "step": Decimal("1e-8"), "on": True, "words": ("a", 1), "empty": None
    }  # fmt: skip
    assert (grid.name, grid.candles, grid.on_error) == ("grid-1", ("1m", "1h"), "continue")
    risk = settings.risk
    assert (risk.max_position, risk.max_order_qty) == (Decimal(1000), Decimal("0.5"))
    assert (risk.max_orders_per_minute, risk.max_drawdown) == (60, Decimal("0.05"))
    run = settings.run
    assert (run.name, run.dir, run.duration, run.seed) == ("a.b-c_1", "out", 90 * SECOND, 7)
    assert (settings.state.dir, settings.state.durability) == ("kept", "power")
    assert (settings.plugins.load, settings.plugins.block) == (("mine.py",), ("other",))
    assert settings.log.level == "debug"


def test_settings_are_frozen() -> None:
    settings = good(START)
    with pytest.raises(ValidationError):
        settings.run.seed = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("use", "name"),
    [
        ("market_maker", "market_maker"),
        ("strategies/market_maker.py", "market_maker"),
        ("grid.py:Grid", "Grid"),
        (r"C:\bots\my grid.py", "my-grid"),
        ("a" * 50, "a" * 40),
        ("...", "strategy"),
    ],
)
def test_strategy_name_comes_from_what_it_uses(use: str, name: str) -> None:
    assert good(START.replace("market_maker", f"'{use}'")).strategies[0].name == name


@pytest.mark.parametrize(
    ("name", "mode"),
    [("bitmex_paper_trade", "paper"), ("bitmex_perpetual_testnet", "testnet"), ("bitmex_perpetual", None)],
)
def test_name_of_an_exchange_implies_its_mode(name: str, mode: str | None) -> None:
    assert good(f"exchanges: {{{name}: }}").exchanges[name].mode == mode
    assert mode is None or good(f"exchanges: {{{name}: {{mode: {mode}}}}}").exchanges[name].mode == mode


@pytest.mark.parametrize(
    ("written", "ns"),
    [("50ms", 50_000_000), ("0", 0), ("0.1", 100_000_000), ("2", 2 * SECOND), ("1d", DAY), ("'1.5s'", 1_500_000_000)],
)
def test_duration_is_nanoseconds(written: str, ns: int) -> None:
    assert good(f"exchanges: {{a: {{latency: {written}}}}}").exchanges["a"].latency == ns


@pytest.mark.parametrize(
    ("written", "part"), [("5%", "0.05"), ("0.05", "0.05"), ("100%", "1"), ("1", "1"), ("2.5 %", "0.025")]
)
def test_drawdown_is_a_fraction(written: str, part: str) -> None:
    assert good(f"risk: {{max_drawdown: {written}}}").risk.max_drawdown == Decimal(part)


@pytest.mark.parametrize(("written", "data"), [("a.csv", ("a.csv",)), ("[a, b]", ("a", "b"))])
def test_data_is_a_text_or_a_list(written: str, data: object) -> None:
    assert good(f"exchanges: {{a: {{replay: {{data: {written}}}}}}}").exchanges["a"].replay.data == data


def test_key_without_a_value_is_absent() -> None:
    settings = good("exchanges:\n  a:\n    margin:\n    mode:\nrisk:\nstrategies:\nrun: {duration: }\n")
    assert settings.exchanges["a"].mode is None
    assert settings.strategies == ()


EXCHANGE = "exchanges: {a: {%s}}"
STRATEGY = "exchanges: {a: }\nstrategies: [{use: u, instruments: [X], %s}]"


@pytest.mark.parametrize(
    ("text", "code", "place", "message"),
    [
        # Unknown keys
        ("exchange: {}", "HB101", "1:1", 'unknown key "exchange"; did you mean "exchanges"?'),
        ("'[key]': 1", "HB101", "1:1", 'unknown key "[key]"; keys here'),
        ("a: 1", "HB101", "1:1", 'unknown key "a"; keys here: exchanges, log, notify, plugins, report, risk, run, st'),
        ("leverage: 1", "HB101", "1:1", 'unknown key "leverage"; did you mean "exchanges.NAME.margin.leverage"?'),
        ("duration: 1s", "HB101", "1:1", 'unknown key "duration"; did you mean "run.duration"?'),
        (EXCHANGE % "levrage: 5", "HB101", "1:17",
         'unknown key "levrage" in exchanges.a; did you mean "margin.leverage"?'),
        (EXCHANGE % "Mode: live", "HB101", "1:17", 'unknown key "Mode" in exchanges.a; did you mean "mode"?'),
        (EXCHANGE % "margin: {levrage: 5}", "HB101", "1:26", 'in exchanges.a.margin; did you mean "leverage"?'),
        (EXCHANGE % "replay: {from_ts: 5}", "HB101", "1:26", 'in exchanges.a.replay; did you mean "from"?'),
        (STRATEGY % "warmup: 5", "HB101", "2:41", 'unknown key "warmup" in strategies[0]; keys here: candles'),
        (STRATEGY % "param: {}", "HB101", "2:41", 'did you mean "params"?'),
        ("strategies: [{use: u, instruments: [{symbl: x, symbol: X, exchange: a}]}]\nexchanges: {a: }", "HB101",
         "1:38", 'unknown key "symbl" in strategies[0].instruments[0]; did you mean "symbol"?'),
        ("risk: {max_positon: 5}", "HB101", "1:8", 'in risk; did you mean "max_position"?'),
        ("state: {on_existing: adapt}", "HB103", "1:22", "state.on_existing must be"),
        # Wrong types
        ("[1, 2]", "HB103", "1:1", "the config must be a mapping, got a list"),
        ("ten", "HB103", "1:1", 'the config must be a mapping, got text "ten"'),
        ("exchanges: [a]", "HB103", "1:12", "exchanges must be a mapping, got a list"),
        ("exchanges: {a: paper}", "HB103", "1:16", 'exchanges.a must be a mapping, got text "paper"'),
        ("exchanges: {'a b': }", "HB103", "1:13", '"a b" in exchanges must be named with letters, digits, _ and -'),
        ("strategies: {use: x}", "HB103", "1:13", "strategies must be a list, got a mapping"),
        ("strategies: [grid]", "HB103", "1:14", 'strategies[0] must be a mapping, got text "grid"'),
        ("exchanges: {a: }\nstrategies: [{instruments: [X]}]", "HB103", "2:14",
         "strategies[0] needs use: the strategy to run, such as market_maker"),
        ("exchanges: {a: }\nstrategies: [{use: x}]", "HB103", "2:14", "strategies[0] needs instruments: a list such"),
        (EXCHANGE % "mode: papper", "HB103", "1:23", "exchanges.a.mode must be one of simulator, replay, paper, testnet"
         ', live, got text "papper"; did you mean "paper"?'),
        (EXCHANGE % "mode: 5", "HB103", "1:23", "live, got number 5"),
        (EXCHANGE % "mode: [paper]", "HB103", "1:23", "live, got a list"),
        (EXCHANGE % "plugin: 5", "HB103", "1:25", "exchanges.a.plugin must be a text, got number 5; put it in quotes"),
        (EXCHANGE % "plugin: true", "HB103", "1:25", "exchanges.a.plugin must be a text, got true"),
        (EXCHANGE % "plugin: ''", "HB103", "1:25", 'must be a text that is not empty, got text ""'),
        (EXCHANGE % 'plugin: "a\\0b"', "HB103", "1:25", "must be a text on one line, without control characters"),
        (EXCHANGE % "position_mode: one-way", "HB103", "1:32",
         'one of one_way, hedge, got text "one-way"; did you mean "one_way"?'),
        (EXCHANGE % "margin: cross", "HB103", "1:25", 'exchanges.a.margin must be a mapping, got text "cross"'),
        (EXCHANGE % "margin: {leverage: 0}", "HB103", "1:36", "margin.leverage must be a number > 0, got number 0"),
        (EXCHANGE % "margin: {leverage: ten}", "HB103", "1:36", 'must be a number > 0, got text "ten"'),
        (EXCHANGE % "margin: {leverage: '5'}", "HB103", "1:36", 'got text "5"; write the number without quotes'),
        (EXCHANGE % "balances: 5", "HB103", "1:27", "exchanges.a.balances must be a mapping, got number 5"),
        (EXCHANGE % "balances: {XBT: -1}", "HB103", "1:33", "balances.XBT must be a number >= 0, got number -1"),
        (EXCHANGE % "balances: {XBT: }", "HB103", "1:33", "balances.XBT must be a number >= 0, got nothing"),
        (EXCHANGE % "balances: {'X T': 1}", "HB103", "1:28", '"X T" in exchanges.a.balances must be a currency'),
        (EXCHANGE % "latency: 50 msec", "HB103", "1:26", "latency must be a duration such as 50ms, 60s or 2h, got tex"),
        (EXCHANGE % "latency: -1", "HB103", "1:26", "2h, not negative, got number -1"),
        (EXCHANGE % "fill_model: a b", "HB103", "1:29", "fill_model must be a plain name such as queue, got text"),
        (EXCHANGE % "replay: {from: yesterday}", "HB103", "1:32",
         'replay.from must be a time such as 2019-05-28 or 2019-05-28T18:30:00Z, got text "yesterday"'),
        (EXCHANGE % "replay: {from: 2019}", "HB103", "1:32", "got number 2019"),
        (EXCHANGE % "replay: {from: 1492-01-01}", "HB103", "1:32", "between 1970 and 2262"),
        (EXCHANGE % "replay: {from: 2020-01-02, to: 2020-01-01}", "HB103", "1:48",
         'exchanges.a.replay.to must be later than from, got text "2020-01-01"'),
        (EXCHANGE % "replay: {data: 5}", "HB103", "1:32", "data must be a text, a list of texts, or a mapping of symb"),
        (EXCHANGE % "replay: {data: []}", "HB103", "1:32", "replay.data must be a text, a list of texts"),
        (EXCHANGE % "replay: {data: {X: [a, 5]}}", "HB103", "1:40", "replay.data.X[1] must be a text, got number 5"),
        (STRATEGY % "name: a b", "HB103", "2:47", "strategies[0].name must be a name of letters, digits, _, - and ."),
        (STRATEGY % "name: ..", "HB103", "2:47", "must be a name of letters"),
        (STRATEGY % "params: ten", "HB103", "2:49", 'strategies[0].params must be a mapping, got text "ten"'),
        (STRATEGY % "params: {a: {b: 1}}", "HB103", "2:53",
         "strategies[0].params.a must be a single value or a list of values, got a mapping"),
        (STRATEGY % "params: {a: [[1]]}", "HB103", "2:54", "params.a[0] must be a text, a number, true or false, got"),
        (STRATEGY % "candles: 1m", "HB103", "2:50", 'strategies[0].candles must be a list, got text "1m"'),
        (STRATEGY % "candles: [1m, 1M]", "HB103", "2:55", "candles[1] must be an interval such as 1m, 5m, 1h or 1d"),
        (STRATEGY % "candles: [60]", "HB103", "2:51", "got number 60"),
        (STRATEGY % "on_error: go", "HB103", "2:51", 'on_error must be one of stop, continue, got text "go"'),
        ("exchanges: {a: }\nstrategies: [{use: 5, instruments: [X]}]", "HB103", "2:20", "strategies[0].use must be a"),
        ("exchanges: {a: }\nstrategies: [{use: u, instruments: []}]", "HB103", "2:36",
         "strategies[0].instruments must be a list with at least one item, got a list"),
        ("exchanges: {a: }\nstrategies: [{use: u, instruments: XBTUSD}]", "HB103", "2:36",
         'strategies[0].instruments must be a list, got text "XBTUSD"'),
        ("exchanges: {a: }\nstrategies: [{use: u, instruments: [5]}]", "HB103", "2:37",
         "strategies[0].instruments[0] must be a symbol such as XBTUSD, or {exchange, symbol}, got number 5"),
        ("exchanges: {a: }\nstrategies: [{use: u, instruments: [{exchange: a}]}]", "HB103", "2:37",
         "strategies[0].instruments[0] needs symbol: an instrument such as XBTUSD"),
        ("risk: 5", "HB103", "1:7", "risk must be a mapping, got number 5"),
        ("risk: {max_position: 0}", "HB103", "1:22", "risk.max_position must be a number > 0, got number 0"),
        ("risk: {max_order_qty: true}", "HB103", "1:23", "risk.max_order_qty must be a number > 0, got true"),
        ("risk: {max_orders_per_minute: 1.5}", "HB103", "1:31", "must be a whole number > 0, got number 1.5"),
        ("risk: {max_orders_per_minute: 0}", "HB103", "1:31", "must be a whole number > 0, got number 0"),
        ("risk: {max_drawdown: 5}", "HB103", "1:22", "at most 100%, got number 5; a percentage needs its %"),
        ("risk: {max_drawdown: 0%}", "HB103", "1:22", 'above 0, got text "0%"'),
        ("risk: {max_drawdown: 101%}", "HB103", "1:22", 'at most 100%, got text "101%"'),
        ("risk: {max_drawdown: lots}", "HB103", "1:22",
         "must be a percentage such as 5%, or a fraction from 0 to 1 such as 0.05, got"),
        ("run: {seed: -1}", "HB103", "1:13", "run.seed must be a whole number >= 0, got number -1"),
        ("run: {seed: 99999999999999999999}", "HB103", "1:13", "and at most 9223372036854775807"),
        ("run: {duration: 0s}", "HB103", "1:17", 'run.duration must be a duration such as 50ms, 60s or 2h, above zero'),
        ("run: {duration: 9999999d}", "HB103", "1:17", "at most 3650d"),
        (f"run: {{duration: {'9' * 400}s}}", "HB103", "1:17", "must be a duration"),
        (f"run: {{name: {'x' * 41}}}", "HB103", "1:13", "run.name must be a name of letters, digits, _, - and ., at"),
        ("run: {dir: [a]}", "HB103", "1:12", "run.dir must be a text, got a list"),
        ("state: {durability: disk}", "HB103", "1:21", "state.durability must be one of process, power, got"),
        ("plugins: {load: a}", "HB103", "1:17", 'plugins.load must be a list, got text "a"'),
        ("plugins: {block: [a, 5]}", "HB103", "1:22", "plugins.block[1] must be a text, got number 5; put it in quo"),
        ("log: {level: loud}", "HB103", "1:14", "log.level must be one of debug, info, warning, error, got"),
        # What needs two keys
        ("exchanges: {b_testnet: {mode: live}}", "HB105", "1:31",
         'exchanges.b_testnet has mode testnet by its name, but its key mode is text "live"; remove mode or rename it'),
        ("exchanges: {b_paper_trade: {mode: replay}}", "HB105", "1:35", "has mode paper by its name"),
        ("exchanges: {a: }\nstrategies:\n- {use: u, instruments: [X]}\n- {use: u, instruments: [X]}", "HB106", "4:9",
         'strategies[1] has the name "u", as strategies[0] has; give one of them another name'),
        ("exchanges: {a: }\nstrategies:\n- {use: u, instruments: [X]}\n- {use: v, instruments: [X], name: u}", "HB106",
         "4:36", 'strategies[1] has the name "u"'),
        ("exchanges: {bitmex: }\nstrategies: [{use: u, exchange: bitmx, instruments: [X]}]", "HB107", "2:33",
         'strategies[0].exchange: no exchange "bitmx" in this config; did you mean "bitmex"?'),
        ("exchanges: {a: , b: }\nstrategies: [{use: u, instruments: [X]}]", "HB107", "2:14",
         "strategies[0] needs exchange: one of a, b"),
        ("strategies: [{use: u, instruments: [X]}]", "HB107", "1:14", "strategies[0] has no exchange to trade on"),
        ("exchanges: {a: }\nstrategies: [{use: u, instruments: [{exchange: bb, symbol: X}]}]", "HB107", "2:48",
         'strategies[0].instruments[0].exchange: no exchange "bb" in this config; exchanges here: a'),
    ],
)  # fmt: skip
def test_bad_value_is_told_in_a_traders_words(text: str, code: str, place: str, message: str) -> None:
    _, found = build(text)
    assert [(fault[0], fault[1]) for fault in found] == [(code, place)]
    assert message in found[0][2]
    assert "hunter2" not in found[0][2]
    assert "Input should" not in found[0][2]


def test_a_fault_is_told_once() -> None:
    _, found = build("run: {seed: 010}\nexchanges: {a: {mode: no, api_key: 0123}}\nrisk: {max_position: *x}")
    assert [(code, place) for code, place, _ in found] == [
        ("HB104", "1:13"),
        ("HB104", "2:23"),
        ("HB104", "2:36"),
        ("HB100", "3:22"),
    ]


def test_values_are_cut_and_printable_in_messages() -> None:
    _, [(_, _, message)] = build(f'log: {{level: "{"x" * 100}"}}')
    assert "x" * 37 + "..." in message
    assert "x" * 38 not in message
    _, [(_, _, message)] = build('log: {level: "a\\nb\\e[31m"}')
    assert "a\\x0ab\\x1b[31m" in message
