"""The exchanges that there are, read without importing ccxt."""

from __future__ import annotations

import os
import subprocess
import sys

from hbkit_ccxt import venues


def test_the_ids_are_those_that_ccxt_names() -> None:
    import ccxt

    assert list(venues.ids()) == sorted(ccxt.exchanges)
    assert venues.version() == ccxt.__version__


def test_the_streaming_ones_are_those_of_its_pro_part() -> None:
    import ccxt.pro

    assert sorted(venues.streaming()) == sorted(ccxt.pro.exchanges)
    assert venues.streaming() < set(venues.ids())


def test_listing_them_imports_neither_ccxt_nor_a_network_library() -> None:
    code = (
        "import sys, hbkit_ccxt.plugin; from hbkit_ccxt import venues; "
        "venues.ids(), venues.streaming(), venues.version(); "
        "print(*{'ccxt', 'aiohttp', 'numpy', 'asyncio'} & set(sys.modules))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    found = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == ""
