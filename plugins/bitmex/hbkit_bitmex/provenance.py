"""What every report says of a tape, one line a part: what was recorded, what derived from it, what synthesised."""

from __future__ import annotations

from collections.abc import Mapping

from hbkit.data.source import Provenance

_CONTRACT = Provenance(
    "contract",
    "recorded",
    "fees, margins, tick 0.1 and lot 100 are those of the XBTUSD row of 2026-05-03; "
    "on the day of the tape XBTUSD had tick 0.5 and lot 1",
)
_SIZES = Provenance(
    "book sizes",
    "synthesised",
    "25 levels a side, 0.5 apart, around the best bid and ask; what rests at each is drawn from the seed "
    "(about 400,000 contracts), so queue positions are plausible, not historical",
)
_CANDLES = Provenance(
    "1m candles", "recorded", "GET /trade/bucketed, github.com/codler/bitmex-data 9c8be80; open is the previous close"
)
_FUNDING_SOURCE = "GET /funding, github.com/nearridge/Hehmeyer 7744d79"

PROVENANCE: Mapping[str, tuple[Provenance, ...]] = {
    "bitmex-2019-05-29": (
        Provenance(
            "quotes",
            "recorded",
            "best bid and ask polled about once a second, github.com/hiteshbhatia3559/BitMEX_data 1a4a332; "
            "the longest gap is 25 s, and what happened between two polls is not seen",
        ),
        _CANDLES,
        Provenance("funding", "recorded", f"rates and times as paid, {_FUNDING_SOURCE}"),
        Provenance(
            "trades",
            "synthesised",
            "from the seed, at the recorded bid or ask; each minute has exactly its candle's count, volume, high, low "
            "and close; moments, sides and single sizes are not historical",
        ),
        _SIZES,
        Provenance(
            "mark and index",
            "derived",
            "index = middle of the recorded quote, every 5 s (the real index was not recorded); "
            "mark = index * (1 + rate * time to funding / 8 h), so it stands up to 0.16 % above the traded price",
        ),
        _CONTRACT,
    ),
    "bitmex-2019-05-03-trades": (
        Provenance(
            "trades",
            "recorded",
            "every print from 12:00:09.576 to 12:05:53.937, github.com/hfshr/bitmexr 5c09674; "
            "of the last minute 1,106 of 1,123, the final 6 s are missing",
        ),
        _CANDLES,
        Provenance(
            "quotes",
            "derived",
            "ask = last buy, bid = last sell, kept at least 0.5 apart; the real quotes were not recorded",
        ),
        _SIZES,
        Provenance(
            "mark and index",
            "derived",
            "index = middle of the derived quote, every 5 s; mark = index * (1 + rate * time to funding / 8 h) "
            f"with the recorded rate, {_FUNDING_SOURCE}",
        ),
        _CONTRACT,
    ),
}
