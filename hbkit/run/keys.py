"""Keys of exchanges, from the question at the terminal to the run that uses them: where they are good, and for whom.

A key is kept with the host at which it was verified, and is sent to no other one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from hbkit.chance import Chance, fresh_seed
from hbkit.config.keystore import KeyStore
from hbkit.config.settings import Exchange as Settings
from hbkit.errors import ConfigError, ExchangeError, HbkitError, UsageError
from hbkit.exchange import Connection, ExchangeSpec, VerifiedKey
from hbkit.log import Secret
from hbkit.run.ground import Ground
from hbkit.run.needs import no_mode
from hbkit.run.plan import ExchangePlan

OWN_SIMULATOR = "simulator"
"""The host of a key that was verified at a simulator started for the purpose."""


@dataclass(frozen=True)
class Whither:
    """Where a key is to be verified."""

    rest_url: str
    """The base of a REST interface; empty for a simulator that is started for it, and where the plugin knows it."""
    host: str
    """Host and port, as they are kept with the key; `simulator`, or the plugin's own name for its venue."""
    feed: str = "live"
    """`testnet` for a sandbox."""


def whither(spec: ExchangeSpec, mode: str | None, rest_url: str | None) -> Whither:
    """Where a key of this exchange goes. Raises ExchangeError (exit 4) for a venue that has closed, with what to do.

    :param mode: `simulator`, `testnet` or `live`; None for the name's own.
    :param rest_url: the base of another host's REST interface.
    """
    if mode is not None and mode not in spec.modes:
        raise UsageError(no_mode(spec, mode), code="HB205")
    if mode in ("paper", "replay"):
        raise UsageError(f"mode {mode} needs no key; --mode is simulator, testnet or live")
    feed = mode or ("testnet" if "testnet" in spec.modes and "live" not in spec.modes else "live")
    if rest_url is not None:
        base = _base(spec, rest_url)
        return Whither(base, urlsplit(base).netloc, feed)
    if mode == "simulator":
        return Whither("", OWN_SIMULATOR, feed)
    if spec.closed_on:
        flags = "--mode simulator" if "simulator" in spec.modes else "--rest-url http://HOST:PORT"
        raise ExchangeError(
            f"{spec.advice} Nothing was asked or sent. To verify a key against a simulator: "
            f"hbkit connect {spec.name} {flags}",
            code="HB437",
        )
    home = ExchangePlan(spec.name, Settings(), spec, feed)
    return Whither(spec.rest_url, home.host, feed)


def _base(spec: ExchangeSpec, rest_url: str) -> str:
    """The base as it was given, with the venue's own path where it has none."""
    parts = urlsplit(rest_url)
    try:
        sound = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        sound = False
    if not sound or parts.query or parts.fragment:
        raise UsageError(f'--rest-url "{rest_url}" is no base of a REST interface; write it as https://host/api/v1')
    if parts.username or parts.password:
        raise UsageError("--rest-url holds a name or a password; a key is asked for, never written on the command line")
    path = parts.path.rstrip("/") or urlsplit(spec.rest_url).path
    return f"{parts.scheme}://{parts.netloc}{path}"


async def verified(
    spec: ExchangeSpec, where: Whither, fields: Mapping[str, str], ground: Ground, on_simulator: Callable[[Any], Any]
) -> VerifiedKey:
    """Ask the exchange whether a key is good. Raises ExchangeError with the diagnosis.

    :param on_simulator: enters the context of a simulator that is started, and returns its address.
    """
    rest_url = (await on_simulator(spec)).rest if where.host == OWN_SIMULATOR else where.rest_url
    module, _, name = spec.verifier.partition(":")
    verify: Callable[..., Any] = getattr(import_module(module), name)
    connection = Connection(
        name=spec.name,
        instruments={},
        rest_url=rest_url,
        ws_url="",
        api_key=fields["api_key"],
        api_secret=Secret(fields["api_secret"]),
        clock=ground.clock,
        market_clock=ground.clock,
        chance=Chance(fresh_seed()),
        connector=ground.connector,
        on_end=_nobody,
        feed=where.feed,
        api_passphrase=Secret(fields.get("api_passphrase", "")),
        account_id=fields.get("account", ""),
    )
    answer: VerifiedKey = await verify(connection, fields)
    return answer


def take_kept_keys(plans: Iterable[ExchangePlan], store: KeyStore, password: Callable[[], str]) -> None:
    """Give the keys that are kept to the exchanges whose config names none.

    Raises ConfigError where the key that is kept belongs to another host than the one that is traded on.
    """
    for plan in plans:
        if plan.settings.api_key is not None or not plan.spec.prompts:
            continue
        host = _host(plan)
        kept = store.find(plan.spec.name) if host else None
        if kept is None:
            continue
        if kept.host == host:
            fields = store.load(plan.spec.name, password)
            keys: dict[str, Secret | str] = {name: Secret(fields[name]) for name in ("api_key", "api_secret")}
            if fields.get("api_passphrase"):
                keys["api_passphrase"] = Secret(fields["api_passphrase"])
            if fields.get("account"):
                keys["account"] = fields["account"]
            plan.settings = plan.settings.model_copy(update=keys)
        elif plan.feed != "simulator":
            home = plan.settings.rest_url or plan.spec.rest_url
            flags = f"--rest-url {home}" if home else f"--mode {plan.mode}"
            raise ConfigError(
                f"the key of {plan.spec.name} was verified at {kept.host}, and exchanges.{plan.name} trades at {host}; "
                f"run: hbkit connect {plan.spec.name} {flags}",
                code="HB430",
            )


def _host(plan: ExchangePlan) -> str:
    """Host and port of an account that a kept key may be for; empty where the run brings an account of its own."""
    if plan.mode in ("paper", "replay"):
        return ""
    if plan.mode == "simulator":
        return urlsplit(plan.settings.simulator.url or "").netloc
    if plan.is_closed:
        return ""
    return plan.host


def _nobody(error: HbkitError) -> None:
    """A verification has no life after its answer."""
    del error
