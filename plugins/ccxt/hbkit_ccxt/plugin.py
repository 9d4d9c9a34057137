"""What hbkit learns of ccxt at start: the names of its exchanges, read from the installed ccxt without importing it."""

from __future__ import annotations
