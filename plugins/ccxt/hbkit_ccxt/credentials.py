"""Which parts of a key an exchange wants, and where each is written: `requiredCredentials` of ccxt in hbkit's words.

| of ccxt | key of the config |
| --- | --- |
| `apiKey`, or where keys are wallets `walletAddress`, or where there is neither `uid` | `api_key` |
| `secret`, or `privateKey` | `api_secret` |
| `password` (OKX, KuCoin, Bitget ...) | `api_passphrase` |
| `uid`, `accountId` | `account` |
"""

from __future__ import annotations

from collections.abc import Mapping

from hbkit.exchange import Prompt

_FIELDS = (
    ("api_key", ("apiKey", "walletAddress", "uid")),
    ("api_secret", ("secret", "privateKey")),
    ("api_passphrase", ("password",)),
    ("account", ("uid", "accountId")),
)
"""Key of the config, and what it may be; the first that the venue wants."""
_WORDS = {
    "apiKey": "API key",
    "secret": "secret key",
    "password": "passphrase",
    "walletAddress": "wallet address",
    "privateKey": "private key",
    "uid": "user id",
    "accountId": "account id",
}
_HIDDEN = frozenset({"api_secret", "api_passphrase"})


def names(required: Mapping[str, bool]) -> dict[str, str]:
    """Key of the config to name of ccxt, for what a venue wants: `{"api_key": "apiKey", "api_secret": "secret"}`.

    What no key of the config can hold (a login beside the user id) is left out: `missing` names it.
    """
    wanted = [name for name, is_wanted in required.items() if is_wanted]
    found: dict[str, str] = {}
    for field, known in _FIELDS:
        name = next((one for one in known if one in wanted), None)
        if name is not None:
            found[field] = name
            wanted.remove(name)
    return found


def missing(required: Mapping[str, bool]) -> tuple[str, ...]:
    """What a venue wants and a config cannot say."""
    held = set(names(required).values())
    return tuple(name for name, is_wanted in required.items() if is_wanted and name not in held)


def prompts(required: Mapping[str, bool]) -> tuple[Prompt, ...]:
    """What `hbkit connect` asks for; a venue that wants one part alone may leave the other empty."""
    held = names(required)
    if not held:
        return ()
    asked = dict.fromkeys(("api_key", "api_secret", *held))
    default = {"api_key": "wallet address", "api_secret": "secret key"}
    return tuple(
        Prompt(
            field,
            _WORDS[held[field]] if field in held else default[field],
            hidden=field in _HIDDEN,
            optional=field not in held,
        )
        for field in asked
    )
