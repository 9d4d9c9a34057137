"""What `hbkit check CONFIG --connect` does after the check: asks each exchange, and prints what it said."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING

from hbkit import log
from hbkit.cli.connect import password_of
from hbkit.cli.output import say, table
from hbkit.clock import WallClock
from hbkit.config.keystore import KeyStore, default_folder
from hbkit.errors import ConfigError, ExchangeError, Fault, HbkitError
from hbkit.run.contact import Said, contact
from hbkit.run.ground import RealGround
from hbkit.run.keys import take_kept_keys

if TYPE_CHECKING:
    from hbkit.run import Plan


def ask_all(plan: Plan, *, debug: bool) -> list[dict[str, object]]:
    """Ask every exchange of a config, print what they said, and return it for programs.

    Raises ConfigError with what was wrong at each, at its place in the config; exit code 4 where an exchange said so.
    """
    take_kept_keys(plan.exchanges.values(), KeyStore(default_folder(os.environ)), password_of(os.environ))
    log.configure(level="debug" if debug else "error", stream=sys.stderr, clock=WallClock())
    try:
        said, faults, refused = asyncio.run(_ask(plan))
    finally:
        log.close()
    rows = [("exchange", "asked", "lists", "key")]
    rows += [(one.exchange, one.host or "nobody", str(one.listed) if one.host else "", _key(one)) for one in said]
    if said:
        say("\n" + table(rows))
    for one in said:
        for warning in one.key.warnings if one.key is not None else ():
            say(f"warning: {one.exchange}: {warning}", err=True)
    if faults:
        error = ConfigError(faults)
        error.exit_code = ExchangeError.exit_code if refused else ConfigError.exit_code
        raise error
    say(f"\n{plan.config.path}: no faults, no orders were sent")
    return [_values(one) for one in said]


async def _ask(plan: Plan) -> tuple[list[Said], list[Fault], bool]:
    """Each in turn; what one refuses does not keep the others from being asked."""
    said, faults, refused = [], [], False
    ground = RealGround()
    for name in plan.exchanges:
        try:
            said.append(await contact(plan, name, ground))
        except HbkitError as error:
            faults.append(plan.config.fault(error.code, error.message, "exchanges", name))
            refused = refused or not isinstance(error, ConfigError)
    return said, faults, refused


def _key(one: Said) -> str:
    if one.key is None:
        return one.why
    may = f", may {', '.join(one.key.permissions)}" if one.key.permissions else ""
    return f"good: account {one.key.account}{may}"


def _values(one: Said) -> dict[str, object]:
    return {
        "exchange": one.exchange,
        "host": one.host or None,
        "listed": one.listed if one.host else None,
        "account": one.key.account if one.key is not None else None,
        "permissions": list(one.key.permissions) if one.key is not None else None,
        "why": one.why or None,
    }
