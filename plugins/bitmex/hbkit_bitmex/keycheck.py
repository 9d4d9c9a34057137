"""What a key is worth, before it is kept: signature, clock, account and permissions, asked of the host that it is for.

What can be wrong with it is told apart in `diagnosis.py`; here also an account that is not the one named.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec

from hbkit.clock import SECOND
from hbkit.errors import AuthenticationError, ExchangeError, WireError
from hbkit.exchange import Connection, VerifiedKey
from hbkit_bitmex.diagnosis import refused, unreachable
from hbkit_bitmex.rest import Rest
from hbkit_bitmex.rows import UserRow
from hbkit_bitmex.words import known

SKEW_SECONDS = 5.0
"""A clock that is further off than this is worth a word: clients that sign by it are refused."""


class _KeyRow(msgspec.Struct):
    """One row of `GET /apiKey` (4.7)."""

    id: str = ""
    permissions: list[str] | None = None
    enabled: bool = True


async def verify(connection: Connection, fields: Mapping[str, str]) -> VerifiedKey:
    """Ask the host whether the key is good and whose it is.

    :param fields: what was asked for; `user_id`, where it is not empty, must be the account.

    Raises AuthenticationError (HB430) or WireError (HB432) with what is wrong and the mend.
    """
    host = urlsplit(connection.rest_url).netloc
    rest = Rest(connection, on_locked_out=_ignore, tries=1)  # a person waits: what fails is said at once
    try:
        await _read_time(rest, host)
        try:
            user = await rest.get("/user", UserRow)
        except AuthenticationError as error:
            raise refused(error, host) from error
        account = str(known(user.id) or "")
        wanted = fields.get("user_id", "").strip()
        if wanted and wanted != account:
            raise AuthenticationError(
                f"the key belongs to account {account}, not to {wanted}; a sub-account has keys of its own, made while "
                "it is chosen on the site"
            )
        permissions = await _permissions(rest, connection.api_key)
        return VerifiedKey(account, tuple(permissions or ()), tuple(_warnings(rest, host, permissions)))
    finally:
        await rest.close()


async def _read_time(rest: Rest, host: str) -> None:
    """The first word of the host: whether it is there, whether it is a BitMEX, and what time it is there."""
    try:
        await rest.read_time()
    except WireError as error:
        if "cannot be read" in error.message:
            raise _not_bitmex(host) from error
        raise unreachable(error, host, "check the address and this machine's network") from error
    except (AuthenticationError, ExchangeError) as error:
        raise _not_bitmex(host) from error
    if not rest.server.samples:
        raise _not_bitmex(host)


def _not_bitmex(host: str) -> ExchangeError:
    return ExchangeError(
        f"{host} does not answer as BitMEX does; write the base of its REST interface: http://HOST:PORT/api/v1",
        code="HB432",
    )


async def _permissions(rest: Rest, key: str) -> list[str] | None:
    """Of this key; None where the host does not tell."""
    try:
        rows = await rest.get("/apiKey", list[_KeyRow])
    except ExchangeError:
        return None
    return next((row.permissions or [] for row in rows if row.id == key), None)


def _warnings(rest: Rest, host: str, permissions: list[str] | None) -> list[str]:
    found = []
    ahead = rest.server.offset / SECOND
    if abs(ahead) > SKEW_SECONDS:
        way = "behind" if ahead > 0 else "ahead of"
        found.append(
            f"this machine's clock is {abs(ahead):.0f} s {way} {host}; hbkit signs by the exchange's clock, but set "
            "yours (timedatectl set-ntp true)"
        )
    if permissions is None:
        found.append(f"{host} does not tell what the key may do")
    elif "withdraw" in permissions:
        found.append("the key may withdraw money, which no bot needs; make one that may order and nothing else")
    if permissions is not None and "order" not in permissions:
        found.append("the key may only read: orders will be refused; make one with the permission `order` to trade")
    return found


def _ignore(error: Any) -> None:
    """One refusal is enough here; nobody waits for a lock-out."""
    del error
