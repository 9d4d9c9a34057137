"""plugins, exchanges and strategies: what is there and from where, for people and for programs."""

import pytest


@pytest.fixture
def ready(bench):
    bench.strategy('"""Does one thing."""\nqty: float = Param(100, gt=0)\nwhich: str = Param()')
    bench.write("strategies/pair.py", '''
    from hbkit import Strategy
    class Left(Strategy):
        """One half."""
    class Right(Strategy):
        """The other."""
    ''')  # fmt: skip
    return bench


def test_without_words_it_helps(ready):
    assert ready.hbkit() == ready.hbkit("--help")
    assert ready.hbkit().code == 0
    assert "backtest" in ready.hbkit().out


def test_plugins_lists_names_with_their_distributions(ready):
    done = ready.hbkit("plugins")
    assert (done.code, done.err) == (0, "")
    line = next(line for line in done.out.splitlines() if line.startswith("bitmex_perpetual "))
    assert "hbkit-bitmex " in line
    assert "hbkit_bitmex.plugin" in line
    assert done.out.endswith("loaded: hbkit; the others are imported when a config names them\n")
    listed = ready.hbkit("plugins", "--json").json
    assert listed["loaded"] == [{"name": "hbkit", "origin": "hbkit"}]
    (one,) = [plugin for plugin in listed["plugins"] if plugin["name"] == "bitmex"]
    assert (one["distribution"], one["module"]) == ("hbkit-bitmex", "hbkit_bitmex.plugin")


def test_plugins_hooks_lists_every_hook_with_its_arguments(ready):
    done = ready.hbkit("plugins", "--hooks")
    assert "hbkit_check_order(request, strategy)\n    Veto an order before it is journalled" in done.out
    hooks = ready.hbkit("plugins", "--hooks", "--json").json["hooks"]
    assert {"hbkit_exchanges", "hbkit_strategies", "hbkit_position_mode_changed"} <= {hook["name"] for hook in hooks}
    assert all(hook["doc"] for hook in hooks)


def test_exchanges_lists_and_shows_one(ready):
    done = ready.hbkit("exchanges")
    assert (done.code, done.err) == (0, "")
    assert len([line for line in done.out.splitlines() if line.startswith("bitmex")]) == 6
    shown = ready.hbkit("exchanges", "bitmex_perpetual")
    assert shown.out.startswith("bitmex_perpetual: BitMEX perpetuals and futures\n")
    assert "BitMEX closed on 2026-09-23" in shown.out
    as_json = ready.hbkit("exchanges", "bitmex", "--json").json
    assert (as_json["name"], as_json["closed_on"]) == ("bitmex", "2026-09-23")
    assert len(ready.hbkit("exchanges", "--json").json["exchanges"]) == 6


def test_an_unknown_exchange_gets_the_nearest_name(ready):
    done = ready.hbkit("exchanges", "bitmexx")
    assert done.code == 2
    assert done.err == (
        'error[HB201] exchange "bitmexx" needs a plugin that is not installed; did you mean "bitmex"?\n'
    )


def test_strategies_lists_what_use_takes(ready):
    done = ready.hbkit("strategies")
    assert (done.code, done.err) == (0, "")
    assert [line.split()[0] for line in done.out.splitlines()] == [
        "name", "one", "strategies/pair.py:Left", "strategies/pair.py:Right",
    ]  # fmt: skip
    shown = ready.hbkit("strategies", "one")
    assert shown.out.startswith("one (strategies/one.py)\n\nDoes one thing.\n")
    rows = [line.split() for line in shown.out.splitlines()]
    assert ["qty", "a", "number", "100.0", ">", "0"] in rows
    assert ["which", "text", "required"] in rows
    (as_json,) = ready.hbkit("strategies", "one", "--json").json["strategies"]
    assert as_json["params"][0] == {"name": "qty", "type": "a number", "default": "100.0", "bounds": "> 0"}


def test_strategies_names_a_broken_file_and_shows_the_others(ready):
    ready.write("strategies/bad.py", "def x(:\n")
    done = ready.hbkit("strategies")
    assert done.code == 0
    assert "one" in done.out
    assert done.err.startswith("error[HB301] strategies/bad.py:1:")


def test_an_unknown_strategy_gets_the_nearest_name(ready):
    done = ready.hbkit("strategies", "oen")
    assert (done.code, done.err) == (2, 'error[HB301] no strategy "oen"; did you mean "one"?\n')


def test_no_strategies_says_what_to_do(bench):
    assert bench.hbkit("strategies").out.startswith("no strategies: write one in strategies/")
