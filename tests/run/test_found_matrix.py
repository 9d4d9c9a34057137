"""What a start makes of orders and positions that it finds: each policy, each find, in both position modes.

All bots of a mode share one simulator on one virtual loop; each has an account of its own, arranged by hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hbkit_bitmex.simulator import Options, Running, modes, serve, trading
from hbkit_bitmex.simulator.accounts import VenueAccount

from hbkit.chance import Chance
from hbkit.clock import parse_time
from hbkit.config import load_config
from hbkit.errors import ExchangeError
from hbkit.net.virtual import VirtualLoop, run_virtual
from hbkit.plugins import Plugins
from hbkit.report.result import RunResult
from hbkit.run import make_plan
from hbkit.run.live import LiveRun
from tests.run.test_existing import Ground

STRATEGY = """
from hbkit import Quote, Strategy


class Idle(Strategy):
    def on_start(self) -> None:
        self.found = [order.id for order in self.orders]

    def on_quote(self, quote: Quote) -> None:
        pass
"""
POLICIES = ("refuse", "adopt", "cancel", "ignore")
FINDS = ("orders", "position", "both", "another_bot")
MANUAL, ANOTHER = "by-hand", "zzz9zz-1-1"
"""Client ids of a person, and of a bot with another prefix."""


@dataclass
class Outcome:
    """What became of one start."""

    error: str
    result: RunResult | None
    run: LiveRun | None
    orders: list[str]
    """Client ids that stand afterwards."""
    held: dict[str, int]
    """Contracts per leg at the venue afterwards."""


def arrange(running: Running, account: VenueAccount, find: str, mode: str) -> None:
    """Bring an account there."""
    venue = running.simulator.venue
    leg = {"strategy": "Long"} if mode == "hedge" else {}
    if mode == "hedge":
        modes.set_position_mode(venue, account, {"positionMode": "MultiWay"})
    if find in ("orders", "both", "another_bot"):
        name = ANOTHER if find == "another_bot" else MANUAL
        sent = {"symbol": "XBTUSD", "ordType": "Limit", "side": "Buy", "orderQty": 300, "price": 1000, "clOrdID": name}
        trading.place(venue, account, {**sent, **leg})
    if find in ("position", "both"):
        sent = {"symbol": "XBTUSD", "ordType": "Market", "side": "Buy", "orderQty": 200, "clOrdID": "bought"}
        trading.place(venue, account, {**sent, **leg})


def outcomes(folder: Path, mode: str) -> dict[tuple[str, str], Outcome]:
    """Every policy at every find."""
    cases = list(product(POLICIES, FINDS))
    keys = {case: f"key{at}" for at, case in enumerate(cases)}
    (folder / "strategies").mkdir()
    (folder / "strategies" / "idle.py").write_text(STRATEGY)

    async def main(loop: VirtualLoop) -> dict[tuple[str, str], Outcome]:
        options = Options(
            path="venue", keep_alive=1e6, start=parse_time("2019-05-28T20:00:00Z"),
            accounts=tuple((key, f"{key}-secret") for key in keys.values()),
        )  # fmt: skip
        running = await serve(options, clock=loop.clock, chance=Chance(1))
        venue = running.simulator.venue
        accounts = dict(zip(keys.values(), list(venue.accounts.values())[1:], strict=True))
        try:
            found = {}
            for policy, find in cases:
                key = keys[policy, find]
                account = accounts[key]
                running.simulator.drive.act(partial(arrange, running, account, find, mode))
                found[policy, find] = await start(loop, folder, running, account, key, policy)
            return found
        finally:
            await running.close()

    return run_virtual(main)


async def start(
    loop: VirtualLoop, folder: Path, running: Running, account: VenueAccount, key: str, policy: str
) -> Outcome:
    """One bot for a second."""
    path = folder / f"{key}.yaml"
    path.write_text(
        "exchanges:\n"
        f"  bitmex_perpetual: {{simulator: {{url: 'http://simulator'}}, api_key: {key}, api_secret: '${{S}}'}}\n"
        "strategies: [{use: idle, instruments: [XBTUSD]}]\n"
        f"run: {{duration: 1s}}\nstate: {{on_existing: {policy}}}\n"
    )
    config = load_config(path, environ={"S": f"{key}-secret"})
    run = LiveRun(make_plan(config, Plugins()), Ground(loop))
    error, result = "", None
    try:
        result = await run.play()
    except ExchangeError as refused:
        error = str(refused)
    venue = running.simulator.venue
    orders = [order.client_id for order in venue.orders_of[account.number] if order.is_open]
    held = {side.value: leg.units for side, leg in account.legs() if leg.units and not leg.instrument.is_spot}
    return Outcome(error, result, run, sorted(orders), held)


@pytest.mark.parametrize("mode", ["one_way", "hedge"])
def test_every_policy_at_every_find(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    monkeypatch.chdir(tmp_path)
    leg = "long" if mode == "hedge" else "net"
    found = outcomes(tmp_path, mode)
    assert len(found) == 16
    for (policy, find), one in found.items():
        case = f"{policy} {find}"
        there = {"orders": [MANUAL], "both": [MANUAL], "another_bot": [ANOTHER], "position": []}[find]
        held = {leg: 200} if find in ("position", "both") else {}
        # The position stays whatever the policy, and so do orders unless they are to be taken away.
        assert one.held == held, case
        assert one.orders == ([] if policy == "cancel" else there), case
        if policy == "refuse":
            assert one.error.startswith("error[HB421] the account of bitmex_perpetual is not empty:"), case
            assert one.error.count("not this bot's") == len(there), case
            assert (f"position XBTUSD {leg} 200" in one.error) is bool(held), case
            continue
        assert one.error == "", case
        assert one.result is not None
        assert one.result.exit_code == 0, case
        # Nothing of others is ever the strategy's order, and nothing was ordered.
        assert (one.result.orders, one.run.hosts[0].strategy.found) == (0, []), case  # type: ignore[union-attr]
        assert _mine(one.run, leg) == (200 if held and policy != "ignore" else 0), case
        # The books of the account follow the venue in any case: money adds up.
        assert [row.gap for row in one.result.money] == [0] * len(one.result.money), case
        assert [(row.qty, row.side) for row in one.result.positions] == ([("200", "long")] if held else []), case


def _mine(run: Any, leg: str) -> int:
    """Contracts in the strategy's own books."""
    ledger = run.hosts[0].trader.ledger
    return sum(one.units for side, one in ledger.legs if side.value == leg)
