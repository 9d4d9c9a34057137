"""Refusals for want of money, in the account's own currency: what was needed beside what was free.

BitMEX names the need alone, in minor units (5.4): `Account has insufficient Available Balance, 131250000 XBt required`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from hbkit.model import Currency, Wallet

_SHORT = re.compile(r"insufficient Available Balance, (?P<needed>\d+) (?P<code>\w+) required")


def explained(text: str, currencies: Mapping[str, Currency], wallets: Mapping[str, Wallet]) -> str:
    """The exchange's words, with amounts that a person can compare; other refusals as they are.

    :param currencies: by minor code.
    :param wallets: by major code, as they were told last.
    """
    found = _SHORT.search(text)
    currency = currencies.get(found["code"]) if found is not None else None
    if found is None or currency is None:
        return text
    wallet = wallets.get(currency.code)
    free = currency.text(wallet.available) if wallet is not None else "none"
    return f"needs {currency.text(int(found['needed']))} {currency.code}, free {free} ({text})"
