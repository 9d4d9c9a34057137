"""Asks the exchanges of a config what a run would ask first, and nothing more: markets, clock, key. No order is sent.

    for said in [await contact(plan, name, ground) for name in plan.exchanges]: ...
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from hbkit.errors import ConfigError, ExchangeError
from hbkit.exchange import ExchangeSpec, VerifiedKey
from hbkit.run.admission import check_clock, check_markets
from hbkit.run.ground import Ground
from hbkit.run.keys import OWN_SIMULATOR, Whither, verified
from hbkit.run.plan import ExchangePlan, Plan
from hbkit.run.visit import visit


@dataclass(frozen=True)
class Said:
    """What an exchange said."""

    exchange: str
    host: str
    """Who was asked; empty for nobody."""
    listed: int = 0
    """How many instruments it lists now."""
    key: VerifiedKey | None = None
    """What it said of the key; None where there was none to ask about."""
    why: str = ""
    """Why nobody was asked, or nothing of the key."""


async def contact(plan: Plan, name: str, ground: Ground) -> Said:
    """Ask one exchange. Raises ExchangeError or ConfigError with the mend.

    The plan must have the keys that are kept already (`take_kept_keys`).
    """
    one = plan.exchanges[name]
    if one.mode == "replay":
        return Said(name, "", why="recorded data: there is nobody to ask")
    if one.feed == "simulator" and one.settings.simulator.url is None:
        return Said(name, "", why="a run starts its own simulator: there is nobody to ask")
    if one.is_closed:
        raise ExchangeError(f"{one.spec.advice} Nothing was sent.", code="HB437")
    host = one.settings.simulator.url or one.host if one.feed == "simulator" else one.host
    said = Said(name, host, why=_no_key(one))
    if not said.why:
        said = replace(said, key=await verified(one.spec, _whither(one), _fields(one), ground, _no_simulator))
    return replace(said, listed=await _look(plan, one, ground))


async def _look(plan: Plan, one: ExchangePlan, ground: Ground) -> int:
    """The markets and the clock, without the account: a connector with a key might arm a dead man's switch."""
    markets = {market: None for strategy in plan.strategies for market in strategy.markets
               if market.exchange == one.name}  # fmt: skip
    silent = {"api_key": None, "api_secret": None, "api_passphrase": None, "dead_man_switch": None}
    looked = replace(one, settings=one.settings.model_copy(update=silent))
    async with visit(looked, ground=ground) as there:
        if one.outlives_run:
            check_clock(there.exchange, ground.clock)
        await check_markets(there.exchange, list(markets), there.clock.now())
        return len(await there.exchange.listed())


def _no_key(one: ExchangePlan) -> str:
    """Why nothing is asked of a key. Raises ConfigError for an account that cannot be traded on without one."""
    if one.mode == "paper":
        return "paper needs no key"
    if one.settings.api_key is not None:
        return "" if one.spec.verifier else f"the plugin of {one.spec.name} cannot verify keys"
    if one.feed == "simulator":
        return "the account that every simulator knows"
    raise ConfigError(
        f"mode {one.mode} needs a key: hbkit connect {one.spec.name} keeps one, or write api_key and api_secret as "
        "${VAR}",
        code="HB110",
    )


def _whither(one: ExchangePlan) -> Whither:
    url = one.settings.simulator.url
    if one.feed == "simulator" and url is not None:
        return Whither(url.rstrip("/") + one.spec.simulator_routes[0], url, one.feed)
    return Whither((one.settings.rest_url or one.spec.rest_url).rstrip("/"), one.host, one.feed)


def _fields(one: ExchangePlan) -> Mapping[str, str]:
    settings = one.settings
    secrets = {name: getattr(settings, name) for name in ("api_key", "api_secret", "api_passphrase")}
    return {
        **{name: "" if secret is None else secret.reveal() for name, secret in secrets.items()},
        "account": settings.account or "",
    }


async def _no_simulator(spec: ExchangeSpec) -> object:
    """Nothing is started by a check: a key that is good for a simulator of its own is never asked about."""
    raise ExchangeError(f"{spec.name} was to be asked at {OWN_SIMULATOR}, which nobody started")
