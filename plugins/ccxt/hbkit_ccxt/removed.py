"""What became of exchanges that ccxt had once: an old name in a config gets the way out, not only "unknown".

Ids and releases were read from ccxt's own packages (4.1.82, 4.2.82, 4.3.75, 4.4.4, 4.4.91, 4.5.38, 4.5.83, 4.5.90): a
release stands here for the last of these that had the exchange. Why it went is said where that is public knowledge.
"""

from __future__ import annotations

from typing import Final

BITMEX_RELEASE: Final = "4.5.83"
"""The last release of ccxt with BitMEX."""

_SUCCESSORS: Final = {
    "bitbay": "zonda", "bitcoincom": "fmfwio", "bitfinex2": "bitfinex", "bitpanda": "onetrading",
    "coinbaseadvanced": "coinbase", "coinbaseprime": "coinbaseexchange", "coinbasepro": "coinbaseexchange",
    "gateio": "gate", "gdax": "coinbaseexchange", "hitbtc3": "hitbtc", "huobi": "htx", "huobipro": "htx",
    "okcoin": "okx", "okex": "okx", "okex5": "okx", "poloniexfutures": "poloniex",
}  # fmt: skip
"""Ids under which ccxt has the same exchange, or its customers' new one, today."""

_CLOSED: Final = {
    "bitforex": "it stopped paying out in February 2024",
    "bittrex": "it closed in December 2023",
    "ftx": "it went bankrupt in November 2022",
    "ftxus": "it went bankrupt in November 2022",
    "tradeogre": "it went offline in July 2025",
    "vertex": "it shut down in August 2025",
}

_LAST_SEEN: Final = {
    "4.2.82": ("bittrex",),
    "4.1.82": ("bitforex",),
    "4.4.4": ("ace", "bl3p", "coinlist", "currencycom", "huobijp", "idex", "kuna", "lykke", "wazirx"),
    "4.4.91": ("btcalpha", "ellipx", "oceanex", "tradeogre", "vertex"),
    "4.5.38": (
        "alp", "arkham", "ascendex", "bitmart", "coincatch", "coinmetro", "defx", "exmo", "novadax", "oxfun", "probit",
        "timex", "wavesexchange", "yobit", "zonda",
    ),
    "4.5.83": ("coinex",),
}  # fmt: skip


def fate(venue: str, version: str, known: frozenset[str]) -> str:
    """What became of an exchange that this ccxt does not have, with the way out; empty where nothing is known of it.

    :param version: of the installed ccxt.
    :param known: the ids that it has.
    """
    gone = f"ccxt {version} has no {venue}"
    if venue == "bitmex":
        return (
            f"{gone}: BitMEX closed on 2026-09-23, and ccxt took it out after {BITMEX_RELEASE}; "
            f'python -m pip install "hbkit-ccxt[bitmex]" brings that release and BitMEX\'s simulator, '
            "plugin: bitmex_perpetual (hbkit-bitmex) trades on the simulator without ccxt, and another exchange is one "
            "line away: plugin: ccxt:okx"
        )
    successor = _SUCCESSORS.get(venue)
    if successor is not None and successor in known:
        return f"{gone} any more; it is ccxt:{successor} now"
    release = next((one for one, gone_since in _LAST_SEEN.items() if venue in gone_since), "")
    had = f"release {release} had it" if release else ""
    told = "; ".join(part for part in (_CLOSED.get(venue, ""), had) if part)
    if not told:
        return ""
    back = f'; python -m pip install "ccxt=={release}" brings it back' if release == BITMEX_RELEASE else ""
    return f"{gone} any more ({told}){back}; hbkit exchanges ccxt lists the {len(known)} others"
