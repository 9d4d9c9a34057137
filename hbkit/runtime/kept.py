"""`self.state`: a mapping that outlives the run, written to the journal at each change."""

from __future__ import annotations

import json
from collections.abc import Iterator, MutableMapping
from typing import Any

from hbkit.data.journal import Journal
from hbkit.errors import StrategyError


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
        try:
            json.dumps(value)
        except (TypeError, ValueError) as error:
            raise StrategyError(f'self.state["{key}"]: {error}; keep numbers, text, lists and mappings') from None
        self._values[key] = value
        self._journal.keep(self._strategy, key, value)

    def __delitem__(self, key: str) -> None:
        del self._values[key]
        self._journal.keep(self._strategy, key, None)

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)
