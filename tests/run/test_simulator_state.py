"""`simulator: {state: FILE}`: an account of the run's own simulator that is still there at the next run."""

import pytest

from tests.workbench import Bench

CONFIG = """
run: {duration: 5s, seed: 1}
exchanges: {bitmex_perpetual: {simulator: {state: venue.db}}}
strategies: [{use: one, instruments: [XBTUSD]}]
"""


@pytest.fixture
def trader(bench: Bench) -> Bench:
    bench.strategy("""
        def on_quote(self, quote):
            if not self.bought:
                self.bought = True
                self.buy(100)

        def on_start(self):
            self.bought = False
    """)
    bench.write("c.yaml", CONFIG)
    return bench


def test_the_account_goes_on_in_the_next_run(trader: Bench) -> None:
    first = trader.hbkit("run", "c.yaml", "--virtual", "--json")
    assert (first.code, [row["qty"] for row in first.json["positions"]]) == (0, ["100"]), first.err
    again = trader.hbkit("run", "c.yaml", "--virtual", "--json")
    assert (again.code, [row["qty"] for row in again.json["positions"]]) == (0, ["200"]), again.err
    # The bot's own file goes on too: nothing is set aside, nothing carries the name of a mode.
    assert sorted(file.name for file in (trader.folder / "state").glob("*.db")) == ["c.db"]
    balance = {code: float(text) for code, text in first.json["equity"].items()}
    begun = {code: float(text) for code, text in again.json["starting_balance"].items()}
    assert begun["XBT"] == pytest.approx(balance["XBT"], abs=1e-4)  # the open profit is no part of the balance


def test_positions_that_the_bot_does_not_know_are_asked_about(trader: Bench) -> None:
    assert trader.hbkit("run", "c.yaml", "--virtual", "--json").code == 0
    for file in (trader.folder / "state").iterdir():
        file.unlink()  # another bot comes to the account
    refused = trader.hbkit("run", "c.yaml", "--virtual")
    assert refused.code == 4, refused.err
    assert "--on-existing" in refused.err
    adopted = trader.hbkit("run", "c.yaml", "--virtual", "--json", "--on-existing", "adopt")
    assert (adopted.code, [row["qty"] for row in adopted.json["positions"]]) == (0, ["200"]), adopted.err


def test_a_simulator_in_a_process_of_its_own_keeps_its_account_too(trader: Bench) -> None:
    apart = trader.process("run", "c.yaml", "--for", "1s", "--json")
    assert (apart.code, [row["qty"] for row in apart.json["positions"]]) == (0, ["100"]), apart.err
    here = trader.hbkit("run", "c.yaml", "--virtual", "--json")
    assert (here.code, [row["qty"] for row in here.json["positions"]]) == (0, ["200"]), here.err


def test_a_state_file_that_cannot_be_used_is_said_with_its_mend(trader: Bench) -> None:
    trader.write("venue.db", "no database at all, but words and words and words and words " * 20)
    done = trader.hbkit("run", "c.yaml", "--virtual")
    assert done.code == 2
    assert "error[HB601]" in done.err
    assert "venue.db is damaged" in done.err
