"""The spec of one exchange of ccxt, made when somebody asks for it: this is where ccxt itself is imported.

ccxt's plain class is enough for nearly all: it has the same `has` and `features` as the one with sockets, but for what
is watched, and loads no aiohttp.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from hbkit.errors import PluginError
from hbkit.exchange import Bridge, ExchangeSpec
from hbkit_ccxt import venues
from hbkit_ccxt.removed import fate

BITMEX_CLOSED_ON = "2026-09-23"
BITMEX_ADVICE = (
    "BitMEX closed on 2026-09-23: trade against its simulator (mode: simulator, which is the default), or on another "
    "exchange by changing this block of the config; a host of your own is reached with rest_url and ws_url."
)
"""The sentence of hbkit-bitmex."""
STARTING_BALANCES = {"USDT": "10000", "USDC": "10000", "USD": "10000", "BTC": "1", "ETH": "10"}
"""What paper begins with where the config gives no `balances`, as far as the exchange has these currencies."""


def bridge() -> Bridge:
    """Every exchange of the installed ccxt."""
    return Bridge(
        f"through ccxt {venues.version()}", lambda: [f"{venues.PREFIX}{one}" for one in venues.ids()], spec_of
    )


def spec_of(name: str) -> ExchangeSpec:
    """The spec of `ccxt:<id>`. Raises KeyError for an id that was never there, PluginError for one that is gone."""
    venue = name.removeprefix(venues.PREFIX)
    if venue == name:
        raise KeyError(name)
    known = venues.ids()
    if venue not in known:
        told = fate(venue, venues.version(), frozenset(known))
        if told:
            raise PluginError(told, code="HB201")
        raise KeyError(name)
    return _made(name, venue, _described(venue))


def plain_object(venue: str) -> Any:
    """ccxt's object for what needs no network: names, features, addresses."""
    import ccxt

    return getattr(ccxt, venue)()


def _described(venue: str) -> Any:
    """The object whose `has` says what there is: where the market is told on a socket alone, the one with sockets."""
    api = plain_object(venue)
    if venue in venues.streaming() and not (api.has.get("fetchOrderBook") and api.has.get("fetchTrades")):
        import ccxt.pro

        return getattr(ccxt.pro, venue)()
    return api


def _made(name: str, venue: str, api: Any) -> ExchangeSpec:
    from hbkit_ccxt.capabilities import capabilities_of
    from hbkit_ccxt.credentials import prompts
    from hbkit_ccxt.facts import facts
    from hbkit_ccxt.sandbox import has_sandbox

    modes = ("paper", "replay", *(("testnet",) if has_sandbox(api) else ()), "live")
    more: dict[str, Any] = {}
    if venue == "bitmex":
        more = {"closed_on": BITMEX_CLOSED_ON, "advice": BITMEX_ADVICE}
        if find_spec("hbkit_bitmex") is not None:
            modes = ("simulator", *modes)
            more |= SIMULATOR
    return ExchangeSpec(
        name=name,
        title=f"{api.name or venue} through ccxt",
        lister="hbkit_ccxt.listing:listed",
        modes=modes,
        capabilities=capabilities_of(api),
        starting_balances=STARTING_BALANCES,
        connector=f"hbkit_ccxt.exchange:{venue}",
        prompts=prompts(api.requiredCredentials),
        verifier="hbkit_ccxt.keycheck:verify",
        connect_help=f"keys of {api.name or venue} are made on {api.urls.get('www') or 'its site'}",
        facts=facts(venue, api),
        **more,
    )


SIMULATOR: dict[str, Any] = {
    "simulator": "bitmex",
    "simulator_factory": "hbkit_bitmex.simulator:hosted",
    "simulator_routes": ("/api/v1", "/realtime"),
    "simulator_key": ("demo", "demo-secret"),
    "default_data": "bitmex-2019-05-29",
    "beside": ("bitmex",),
    "contract": "hbkit_ccxt.compliance:CcxtBitmexContract",
}
"""What hbkit-bitmex brings: its simulator, which ccxt cannot tell from the venue, and a recorded day."""
