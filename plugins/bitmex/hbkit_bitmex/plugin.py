"""What hbkit learns of BitMEX at start: six exchange names and two recorded tapes.

Loading this file loads neither numpy nor a network library; instruments and tapes are imported when they are needed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from hbkit import ExchangeSpec, Instrument, hookimpl
from hbkit.exchange import Prompt
from hbkit_bitmex.capabilities import CONTRACTS, SPOT
from hbkit_bitmex.names import DEFAULT_TAPE

if TYPE_CHECKING:
    from hbkit.data.source import Source

CLOSED_ON = "2026-09-23"
ADVICE = (
    "BitMEX closed on 2026-09-23: trade against its simulator (mode: simulator, which is the default), or on another "
    "exchange by changing this block of the config; a host of your own is reached with rest_url and ws_url."
)

TAPES = (DEFAULT_TAPE, "bitmex-2019-05-03-trades")
STARTING_BALANCES = {"XBT": "1", "USDT": "10000", "ETH": "10"}
"""The default account of the project's protocol reference, section 17.3."""


def is_spot(instrument: Instrument) -> bool:
    """What `bitmex` serves; the row's `typ` decides, for an underscore alone does not (`ETHUSD_ETH` is a perpetual)."""
    return instrument.is_spot


def is_contract(instrument: Instrument) -> bool:
    """What `bitmex_perpetual` serves: perpetuals, futures and predictions."""
    return not instrument.is_spot


MODES = ("simulator", "replay", "paper", "testnet", "live")
CONNECTOR: dict[str, Any] = {
    "connector": "hbkit_bitmex.exchange:BitmexExchange",
    "rest_url": "https://www.bitmex.com/api/v1",
    "ws_url": "wss://ws.bitmex.com/realtime",
    "simulator": "bitmex",
    "simulator_factory": "hbkit_bitmex.simulator:hosted",
    "simulator_routes": ("/api/v1", "/realtime"),
    "simulator_key": ("demo", "demo-secret"),
    "verifier": "hbkit_bitmex.keycheck:verify",
    "settled": "hbkit_bitmex.settled:settled",
    "connect_help": 'docs/bitmex.md, "How to create API keys", tells where keys come from',
}
"""What all six names share: one connector, one simulator."""

KEY = (Prompt("api_key", "API key"), Prompt("api_secret", "secret key", hidden=True))
KEY_AND_ACCOUNT = (*KEY, Prompt("user_id", "user id", optional=True))
"""A contract's key may be a sub-account's: naming the account makes sure of it."""

FACTS = {
    "type": "centralized",
    "market": "central limit order book",
    "site": "https://www.bitmex.com",
    "CoinMarketCap": "https://coinmarketcap.com/exchanges/bitmex/",
    "CoinGecko": "https://www.coingecko.com/en/exchanges/bitmex",
    "API docs": "https://www.bitmex.com/api/explorer/, https://www.bitmex.com/app/wsAPI",
    "fees": "https://www.bitmex.com/wallet/fees/spot; each instrument's own: hbkit instruments",
    "supported countries": "as its terms of service said; none since it closed",
    "tier": "Bronze, in Hummingbot's votes, whose connectors for it were removed in 2024",
    "connection": "REST and WebSocket",
    "closed on": f"{CLOSED_ON} 04:00 UTC",
    "order types": "limit, market, stop, stop limit, market if touched, limit if touched, pegged, trailing stop",
    "time in force": "good till cancel, immediate or cancel, fill or kill, day",
    "candles": "1m, 5m, 1h, 1d; the open of a candle is the close of the one before",
    "instrument rows": "2026-05-03 (default), 2021-07-22",
}
SPOT_FACTS = {**FACTS, "instruments": "spot", "fee currency": "quote"}
CONTRACT_FACTS = {
    **FACTS,
    "instruments": "perpetuals, futures, predictions",
    "position modes": "one_way, hedge",
    "funding": "04:00, 12:00 and 20:00 UTC",
    "data": ", ".join(TAPES),
}


def spot(name: str, title: str, elsewhere: str, modes: tuple[str, ...]) -> ExchangeSpec:
    """The spec of a name that serves spot; its market is derived from the tape of XBTUSD, and a report says so."""
    return ExchangeSpec(
        name=name,
        title=title,
        instruments="hbkit_bitmex.instruments:load",
        default_data=DEFAULT_TAPE,
        modes=modes,
        capabilities=SPOT,
        starting_balances=STARTING_BALANCES,
        contract="hbkit_bitmex.compliance:BitmexSpotContract",
        prompts=() if modes == ("paper",) else KEY,
        serves=is_spot,
        elsewhere=elsewhere,
        closed_on=CLOSED_ON,
        advice=ADVICE,
        facts=SPOT_FACTS,
        **CONNECTOR,
    )


def contracts(name: str, title: str, elsewhere: str, modes: tuple[str, ...]) -> ExchangeSpec:
    """The spec of a name that serves perpetuals and futures."""
    return ExchangeSpec(
        name=name,
        title=title,
        instruments="hbkit_bitmex.instruments:load",
        default_data=DEFAULT_TAPE,
        modes=modes,
        capabilities=CONTRACTS,
        starting_balances=STARTING_BALANCES,
        prompts=() if modes == ("paper",) else KEY_AND_ACCOUNT,
        contract="hbkit_bitmex.compliance:BitmexContract",
        serves=is_contract,
        elsewhere=elsewhere,
        closed_on=CLOSED_ON,
        advice=ADVICE,
        facts=CONTRACT_FACTS,
        **CONNECTOR,
    )


@hookimpl
def hbkit_exchanges() -> Mapping[str, ExchangeSpec]:
    """The six names under which configs know BitMEX."""
    contract = "BitMEX perpetuals and futures"
    specs = (
        spot("bitmex", "BitMEX spot", "bitmex_perpetual", MODES),
        contracts("bitmex_perpetual", contract, "bitmex", MODES),
        spot("bitmex_testnet", "BitMEX spot, testnet", "bitmex_perpetual_testnet", ("testnet",)),
        contracts("bitmex_perpetual_testnet", f"{contract}, testnet", "bitmex_testnet", ("testnet",)),
        spot("bitmex_paper_trade", "BitMEX spot, paper trading", "bitmex_perpetual_paper_trade", ("paper",)),
        contracts("bitmex_perpetual_paper_trade", f"{contract}, paper trading", "bitmex_paper_trade", ("paper",)),
    )
    return {spec.name: spec for spec in specs}


@hookimpl
def hbkit_data_sources() -> Mapping[str, Callable[[int], Source]]:
    """The recorded tapes, each with the instruments that are derived from it."""
    return {name: partial(_tape, name) for name in TAPES}


@hookimpl
def hbkit_commands() -> Mapping[str, object]:
    """`hbkit simulator bitmex` and `hbkit import bitmex-archive`; imported here because a run needs neither."""
    import click

    from hbkit_bitmex.archive.command import command as archive
    from hbkit_bitmex.simulator.command import command as simulator

    return {
        "simulator": click.Group("simulator", commands={"bitmex": simulator}, help="An exchange on this machine."),
        "import": click.Group("import", commands={"bitmex-archive": archive}, help="What other programs left behind."),
    }


def _tape(name: str, seed: int) -> Source:
    """The tape of that name; imported here because only a run that replays it needs numpy."""
    from hbkit_bitmex.derived import Family
    from hbkit_bitmex.tapes import open_tape

    return Family(open_tape(name, seed))
