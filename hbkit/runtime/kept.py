"""`self.state`: a mapping that outlives the run, written to the journal at each change."""

from __future__ import annotations

import json
from collections.abc import Iterator, MutableMapping
from typing import Any

from hbkit.data.journal import Journal
from hbkit.errors import StrategyError

MOST_BYTES = 1 << 20
"""Of one entry, as JSON."""
MOST_KEYS = 10_000


class KeptState(MutableMapping[str, Any]):
    """Keys are text, values what JSON can hold; a value that is changed in place must be set again."""

    def __init__(self, journal: Journal, strategy: str) -> None:
        self._journal = journal
        self._strategy = strategy
        self._values = journal.kept(strategy)

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def __setitem__(self, key: str, value: Any) -> None:
        if value is None:
            raise StrategyError(f'self.state["{key}"] = None keeps nothing; delete the key instead')
        if not isinstance(key, str):
            raise StrategyError(f"self.state[{key!r}]: the key must be a text")
        try:
            size = len(json.dumps(value))
        except (TypeError, ValueError, RecursionError) as error:
            raise StrategyError(f'self.state["{key}"]: {error}; keep numbers, text, lists and mappings') from None
        if size > MOST_BYTES:
            raise StrategyError(
                f'self.state["{key}"] would be {size:,} bytes, at most {MOST_BYTES:,} are kept: it is written at each '
                "change, so keep what a restart needs, and write histories to a file of your own",
                code="HB313",
            )
        if key not in self._values and len(self._values) >= MOST_KEYS:
            raise StrategyError(
                f'self.state["{key}"]: there are {MOST_KEYS:,} keys already; delete what is over, or keep a list',
                code="HB313",
            )
        self._values[key] = value
        self._journal.keep(self._strategy, key, value)

    def __delitem__(self, key: str) -> None:
        del self._values[key]
        self._journal.keep(self._strategy, key, None)

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)
