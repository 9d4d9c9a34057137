"""Random acts while answers, requests and sockets are lost: in the end the books are the venue's, to the last unit.

`python -m plugins.ccxt.tests.fake.bot --venue hbkitfixed --seeds 200` plays more of them.
"""

from __future__ import annotations

import pytest

from plugins.ccxt.tests.fake.bot import play
from plugins.ccxt.tests.fake.venue import register


@pytest.mark.parametrize("seed", [1, 7])
@pytest.mark.parametrize("venue", ["hbkitfake", "hbkitpolled", "hbkitfixed", "hbkituntold", "hbkitforgetful"])
def test_the_books_equal_the_venue_when_it_is_quiet_again(
    venue: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(monkeypatch)
    assert play(venue, seed) == []
