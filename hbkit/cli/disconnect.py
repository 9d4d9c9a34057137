"""`hbkit disconnect EXCHANGE`: forgets a key that is kept."""

from __future__ import annotations

import os

import click

from hbkit.cli.output import say
from hbkit.config.keystore import KeyStore, default_folder
from hbkit.errors import UsageError, did_you_mean


@click.command("disconnect", short_help="Forget an exchange's key.")
@click.argument("exchange")
def command(exchange: str) -> int:
    """Forget the key of EXCHANGE that is kept on this machine; at the exchange it stays as it is."""
    store = KeyStore(default_folder(os.environ))
    if not store.remove(exchange):
        mend = did_you_mean(exchange, [one.exchange for one in store.listed()], what="kept")
        raise UsageError(f"no key of {exchange} is kept; {mend}")
    say(f"the key of {exchange} is forgotten here; if nobody else uses it, delete it at the exchange too")
    return 0
