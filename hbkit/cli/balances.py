"""`hbkit balances EXCHANGE`: the account's money, currency by currency."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from hbkit.cli.asking import Asked, aligned, ask, exchange_options, plan
from hbkit.cli.output import print_json, say

if TYPE_CHECKING:
    from hbkit.model import Wallet
    from hbkit.run.visit import Visit


@click.command("balances", short_help="The account's money.")
@exchange_options
def command(asked: Asked, as_json: bool) -> int:
    """Show what the account of EXCHANGE holds, settled, with open profit, and free for new orders."""
    found = plan(asked)

    async def read(there: Visit) -> tuple[str, Sequence[Wallet]]:
        await there.exchange.refresh()
        return there.exchange.account, there.exchange.wallets()

    account, wallets = ask(asked, found, read, account=True)
    if as_json:
        print_json({
            "exchange": found.name, "from": asked.where, "account": account,
            "balances": {one.currency.code: _values(one) for one in wallets},
        })  # fmt: skip
        return 0
    if not wallets:
        say("the account holds no money")
        return 0
    rows = [("currency", "balance", "open profit", "equity", "available")]
    for one in wallets:
        values = _values(one)
        rows.append(
            (one.currency.code, values["balance"], values["open_profit"], values["equity"], values["available"])
        )
    say(aligned(rows, left=(0,)))
    return 0


def _values(wallet: Wallet) -> dict[str, str]:
    text = wallet.currency.text
    return {
        "balance": text(wallet.balance),
        "open_profit": text(wallet.equity - wallet.balance),
        "equity": text(wallet.equity),
        "available": text(wallet.available),
    }
