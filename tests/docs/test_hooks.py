"""The page about hooks has every one; its examples are a guest distribution, and each part of it is seen at work."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hbkit import hookspecs
from tests.workbench import Bench, Outcome, plant

PAGE = (Path(__file__).parents[2] / "docs" / "hooks.md").read_text(encoding="utf-8")
GUEST = "\n\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))
CONFIG = """
exchanges:
  demo: {fill_model: halves}
strategies:
  - {use: patient, instruments: [COIN], params: {qty: 1}}
plugins: {load: [guest]}
"""
SIMULATED = """
exchanges:
  bitmex_perpetual: {mode: simulator}
strategies:
  - {use: patient, instruments: [XBTUSD], params: {qty: 100}}
plugins: {load: [guest]}
notify:
  - {use: to_file, options: {path: alerts.txt}}
"""


@pytest.fixture
def guest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Bench]:
    """A folder with the guest installed, from its dist-info."""
    monkeypatch.chdir(tmp_path)
    site = tmp_path / "site"
    plant(site, "hbkit-guest", "guest", GUEST, "guest")
    monkeypatch.syspath_prepend(str(site))
    before = set(sys.modules)
    bench = Bench(tmp_path, capsys)
    bench.write("guest.yaml", CONFIG)
    yield bench
    for name in set(sys.modules) - before:
        if name == "guest":
            del sys.modules[name]


def backtest(guest: Bench, *words: str) -> Outcome:
    done = guest.hbkit("backtest", "guest.yaml", "--json", *words)
    assert done.code == 0, done.err
    return done


def result(guest: Bench) -> dict[str, list[dict[str, str]]]:
    (folder,) = guest.run_folders
    found: dict[str, list[dict[str, str]]] = json.loads((guest.folder / "runs" / folder / "result.json").read_text())
    return found


def test_the_page_has_every_hook_with_an_example() -> None:
    hooks = [name for name in vars(hookspecs) if name.startswith("hbkit_")]
    sections = dict(re.findall(r"^## `(hbkit_\w+)`\n(.*?)(?=^## )", PAGE, re.MULTILINE | re.DOTALL))
    assert sorted(sections) == sorted(hooks)
    for name, text in sections.items():
        assert f"@hookimpl\ndef {name}(" in text


def test_the_exchange_the_data_and_the_fill_model_of_a_guest_are_at_work(guest: Bench) -> None:
    told = backtest(guest).json
    # An hour of candles, and an order at each close.
    assert told["orders"] == 60
    assert set(told["equity"]) == {"USD"}
    rows = result(guest)
    assert rows["fill_model"] == "halves"
    assert rows["provenance"][0]["text"] == "a sine"
    first = rows["order_rows"][0]["id"]
    parts = [row["qty"] for row in rows["fill_rows"] if row["order_id"] == first]
    # Half of 1, of 0.5, of 0.25: whole lots of 0.01.
    assert parts[:3] == ["0.5", "0.25", "0.12"]


def test_the_section_of_a_guest_is_in_the_report(guest: Bench) -> None:
    report = Path(backtest(guest).json["report"]).read_text()
    assert re.search(r"<h2>Longest waits</h2>\s*<ol><li>\S+: \d+ min</li>", report)


def test_the_command_of_a_guest_runs(guest: Bench) -> None:
    # sin(1/3), sin(2/3), sin(3/3) = 0.327, 0.618, 0.841.
    assert guest.hbkit("tide").out.split() == ["100.3", "100.6", "100.8"]
    assert guest.hbkit("tide", "--minutes", "1").out.split() == ["100.3"]


def test_the_veto_of_a_guest_refuses_and_is_told_once(guest: Bench) -> None:
    assert backtest(guest, "--set", "strategies.0.params.qty=6").json["rejects"] == 60
    assert result(guest)["order_rows"][0]["reason"] == "patient may not buy more than 5 at a time"
    lines = (guest.folder / "guest.txt").read_text().splitlines()
    assert lines == [
        "started replay",
        lines[1],
        "demo is in one_way mode",
        "vetoed: buy of COIN refused: patient may not buy more than 5 at a time",
        "stopped end of data, report True",
        "stopped: end of data, exit 0",
    ]
    assert lines[1] == "started: guest in mode replay"


def test_a_failure_and_a_risk_limit_are_alerts(guest: Bench) -> None:
    guest.strategy("def on_candle(self, candle): raise ValueError('no luck')")
    words = ("--set", "strategies.0.use=one", "--set", "strategies.0.params={}")
    assert guest.hbkit("backtest", "guest.yaml", *words).code == 5
    text = (guest.folder / "guest.txt").read_text()
    assert re.search(r"^failed: .*ValueError: no luck", text, re.MULTILINE)
    assert "stopped: strategy failed, exit 5" in text
    words = ("--set", "risk.max_drawdown=0.0001", "--set", "strategies.0.params.qty=5")
    assert guest.hbkit("backtest", "guest.yaml", *words).code == 6
    assert re.search(r"^risk: risk.max_drawdown: USD fell", (guest.folder / "guest.txt").read_text(), re.MULTILINE)


def test_the_notifier_of_a_guest_is_told(guest: Bench) -> None:
    guest.write("sim.yaml", SIMULATED)
    assert guest.hbkit("run", "sim.yaml", "--virtual", "--for", "61s").code == 0
    assert (guest.folder / "alerts.txt").read_text().splitlines() == [
        "info started sim in mode simulator",
        "warning vetoed buy of XBTUSD refused: patient may not buy more than 5 at a time",
        "info stopped duration, exit 0",
    ]


@pytest.mark.parametrize(
    ("notify", "words"),
    [
        ("[to_fil]", 'error[HB206] sim.yaml:6:10 no notifier "to_fil"; did you mean "to_file"?'),
        ("[to_file]", 'notifier "to_file" with these options raised TypeError'),
        ("[{use: to_file, options: {pth: x}}]", "unexpected keyword argument 'pth'"),
        ("[{options: {path: x}}]", "notify[0] needs use: the name of a notifier"),
        ("[{use: to_file, option: {}}]", 'unknown key "option" in notify[0]; did you mean "options"?'),
        ("to_file", "notify must be a list"),
    ],
)
def test_a_notifier_that_cannot_be_used_is_found_before_the_run(guest: Bench, notify: str, words: str) -> None:
    guest.write("sim.yaml", SIMULATED[: SIMULATED.index("notify:")] + f"notify: {notify}\n")
    done = guest.hbkit("check", "sim.yaml")
    assert done.code == 2
    assert words in done.err


def test_a_notifier_that_raises_ends_nothing(guest: Bench) -> None:
    guest.write("sim.yaml", SIMULATED.replace("path: alerts.txt", "path: nowhere/alerts.txt"))
    done = guest.hbkit("run", "sim.yaml", "--virtual", "--for", "1s")
    assert done.code == 0
    assert "raised FileNotFoundError" in done.err


def test_calls_are_traced_when_asked_for(guest: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "hbkit_check_order" not in backtest(guest).err
    monkeypatch.setenv("HBKIT_TRACE_PLUGINS", "1")
    lines = [line for line in backtest(guest).err.splitlines() if line.startswith("hbkit_")]
    asked = next(line for line in lines if line.startswith("hbkit_check_order"))
    told = r"request=OrderRequest\(.*\.\.\. strategy='patient' -> None  \d+\.\d{3} ms"
    assert re.fullmatch(r"hbkit_check_order  hbkit-guest 0\.1  " + told, asked)
    assert {line.split()[0] for line in lines} >= {
        "hbkit_exchanges", "hbkit_strategies", "hbkit_data_sources", "hbkit_fill_models", "hbkit_report_sections",
        "hbkit_session_started", "hbkit_session_stopped", "hbkit_alert", "hbkit_position_mode_changed",
    }  # fmt: skip
    assert any(re.match(r"hbkit_fill_models  hbkit -> ", line) for line in lines)


def test_a_call_that_raises_is_traced_and_a_secret_is_not_shown(guest: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    from hbkit.log import Secret

    monkeypatch.setenv("HBKIT_TRACE_PLUGINS", "1")
    secret = Secret("hunter2-hunter2-hunter2")
    guest.write(
        "loud.py",
        f"""
        from hbkit import hookimpl

        @hookimpl
        def hbkit_session_started(run_id):
            raise ValueError("{'x' * 70}{secret.reveal()}")
        """,
    )
    told = backtest(guest, "--set", "plugins.load=[guest, loud.py]").err
    line = next(line for line in told.splitlines() if line.startswith("hbkit_session_started  loud.py"))
    assert " raised ValueError: 'xxx" in line
    assert "hunter2" not in told
