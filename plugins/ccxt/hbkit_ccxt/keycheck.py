"""What a key is worth, before it is kept: one signed question for the account's balance, which changes nothing.

ccxt tells neither permissions nor, at most venues, whose key it is; what was not proved is said.
"""

from __future__ import annotations

from collections.abc import Mapping

from hbkit.errors import ExchangeError
from hbkit.exchange import Connection, VerifiedKey
from hbkit_ccxt import venues
from hbkit_ccxt.client import Client

_QUESTIONS = (("fetchBalance", "fetch_balance"), ("fetchOpenOrders", "fetch_open_orders"))
"""The first that a venue has."""


async def verify(connection: Connection, fields: Mapping[str, str]) -> VerifiedKey:
    """Ask the venue behind `ccxt:<id>` with the key of the connection, whose name that is.

    Raises AuthenticationError, WireError or another ExchangeError with the mend.
    """
    venue = connection.name.removeprefix(venues.PREFIX)
    client = Client(venue, connection, feed=connection.feed)
    try:
        method = next((method for name, method in _QUESTIONS if client.has(name)), "")
        if not method:
            raise ExchangeError(
                f"ccxt has no question for {venue} that proves a key; write api_key and api_secret in the config as "
                "${VAR}",
                code="HB430",
            )
        await client.load()
        await client.call(method)
        return VerifiedKey(_account(connection, fields), (), tuple(_warnings(client)))
    finally:
        await client.close()


def _account(connection: Connection, fields: Mapping[str, str]) -> str:
    """The account as its owner named it, else by what its key ends with."""
    return fields.get("account", "").strip() or f"of the key ..{connection.api_key[-2:]}"


def _warnings(client: Client) -> list[str]:
    wallet = client.api.requiredCredentials.get("privateKey")
    if wallet:
        return [f"{client.venue} answers for any wallet: the private key is proved by the first order"]
    return ["ccxt does not tell what the key may do: give it no right to withdraw"]
