"""BitMEX through ccxt against BitMEX's simulator, case by case; what it does not pass is in `known` there."""

from __future__ import annotations

import ccxt
import pytest

pytest.importorskip("hbkit_bitmex")
if "bitmex" not in ccxt.exchanges:
    pytest.skip("this ccxt has no bitmex: 4.5.83 was the last", allow_module_level=True)

from hbkit_ccxt.compliance import CcxtBitmexContract


class TestCcxtBitmex(CcxtBitmexContract):
    """C01 and on."""
