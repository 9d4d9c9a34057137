"""`hbkit connect EXCHANGE`: asks for a key, has the exchange verify it, and keeps it; `--list` shows what is kept."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import click

from hbkit.cli.answers import answer
from hbkit.cli.output import say, table
from hbkit.clock import WallClock, iso
from hbkit.config.keystore import PASSWORD_VARIABLE, KeptKey, KeyStore, default_folder
from hbkit.errors import AuthenticationError, UsageError

if TYPE_CHECKING:
    from hbkit.exchange import ExchangeSpec, VerifiedKey
    from hbkit.run.keys import Whither

KEY_MODES = ("simulator", "testnet", "live")


@click.command("connect", short_help="Ask for an exchange's key, verify it, keep it.")
@click.argument("exchange", required=False)
@click.option("--list", "listing", is_flag=True, help="Show which keys are kept, and for which host.")
@click.option("--mode", type=click.Choice(KEY_MODES), help="Where the key is verified; a simulator is started for it.")
@click.option("--rest-url", metavar="URL", help="Base of another host's REST interface: https://host/api/v1.")
@click.option("--debug", is_flag=True, help="Log everything; show tracebacks.")
def command(exchange: str | None, listing: bool, mode: str | None, rest_url: str | None, debug: bool) -> int:
    """Ask for the key of EXCHANGE, have it verified there, and keep it: in the keyring, else in an encrypted file."""
    store = KeyStore(default_folder(os.environ))
    if listing:
        return _show(store)
    if exchange is None:
        raise UsageError("name an exchange: hbkit connect EXCHANGE; hbkit exchanges lists them")

    from hbkit import log
    from hbkit.plugins import Plugins
    from hbkit.run.keys import OWN_SIMULATOR, whither

    spec = Plugins().exchange(exchange)
    if not spec.prompts:
        say(f"You are now connected to {spec.name}")
        if spec.modes == ("paper",):
            say("It needs no key; its starting balances come from `balances` in its block of the config.")
        return 0
    where = whither(spec, mode, rest_url)
    if not spec.verifier:
        raise UsageError(
            f"the plugin of {spec.name} cannot verify a key, and what was not verified is not kept; write api_key and "
            "api_secret in the config as ${VAR}"
        )
    fields = {
        one.field: answer(f"Enter your {spec.name} {one.words} >>>", hidden=one.hidden, optional=one.optional)
        for one in spec.prompts
    }
    log.configure(level="debug" if debug else "error", stream=sys.stderr, clock=WallClock())
    try:
        said = asyncio.run(_verified(spec, where, fields))
    except AuthenticationError as error:
        raise AuthenticationError(f"{error.message} (nothing was kept; {spec.connect_help})") from error
    finally:
        log.close()
    key = KeptKey(spec.name, where.host, said.account, fields["api_key"][-2:], iso(WallClock().now()))
    kept = store.save(key, fields, password_of(os.environ, new=store.find(spec.name) is None))
    for warning in said.warnings:
        say(f"warning: {warning}", err=True)
    say(f"You are now connected to {spec.name}")
    place = "in the keyring" if kept.kept == "keyring" else f"encrypted in {store.folder}"
    may = f", may {', '.join(said.permissions)}" if said.permissions else ""
    say(f"account {said.account} at {kept.host}{may}; the key ending ..{kept.key_ends} is kept {place}")
    if kept.host == OWN_SIMULATOR:
        say("That simulator has ended. The one that a run starts has an account of its own and needs no key.")
    return 0


async def _verified(spec: ExchangeSpec, where: Whither, fields: Mapping[str, str]) -> VerifiedKey:
    from hbkit.exchange import SimulatorOptions
    from hbkit.run.ground import RealGround
    from hbkit.run.keys import verified

    ground = RealGround()
    async with AsyncExitStack() as stack:

        async def start(one: ExchangeSpec) -> object:
            say("asking a simulator started for this; it knows the account demo", err=True)
            return await stack.enter_async_context(ground.simulator(one, SimulatorOptions(), lambda _: None, 0))

        return await verified(spec, where, fields, ground, start)


def password_of(environ: Mapping[str, str], *, new: bool = False) -> Callable[[], str]:
    """Asks for the password of the key files, unless the environment has it.

    :param new: a first password is asked for twice at a terminal, for a slip of the finger would lock its owner out.
    """

    def ask() -> str:
        if password := environ.get(PASSWORD_VARIABLE):
            return password
        first = answer(f"Password for the key file ({PASSWORD_VARIABLE} saves asking) >>>", hidden=True)
        if new and sys.stdin.isatty() and answer("The same again >>>", hidden=True) != first:
            raise UsageError("the two passwords differ; nothing was kept")
        return first

    return ask


def _show(store: KeyStore) -> int:
    kept = store.listed()
    if not kept:
        say("no keys are kept; hbkit connect EXCHANGE asks for one")
        return 0
    rows = [("exchange", "host", "account", "key", "kept in", "since")]
    rows += [(one.exchange, one.host, one.account, f"..{one.key_ends}", one.kept, one.saved[:10]) for one in kept]
    say(table(rows))
    return 0
