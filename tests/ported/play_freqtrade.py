"""Plays freqtrade's AverageStrategy over a candle file and prints its trades; run by hand, with freqtrade installed.

    python play_freqtrade.py CANDLES.csv.gz FOLDER_OF_THE_STRATEGY

freqtrade's own backtesting does the work; only the list of markets, which it would fetch, is put in its place.
"""

from __future__ import annotations

import logging
import sys
import tempfile
import warnings
from pathlib import Path
from unittest.mock import MagicMock, PropertyMock, patch

import pandas as pd
from freqtrade.enums import RunMode
from freqtrade.exchange import Exchange
from freqtrade.optimize.backtesting import Backtesting

PAIR = "BTC/USDT"
LIMITS = {"min": None, "max": None}
MARKET = {
    "id": "BTCUSDT", "symbol": PAIR, "base": "BTC", "quote": "USDT", "active": True, "type": "spot", "info": {},
    "spot": True, "swap": False, "future": False, "option": False, "contract": False, "contractSize": None,
    "linear": None, "inverse": None, "taker": 0.0, "maker": 0.0,
    "precision": {"price": 0.01, "amount": 1e-8, "cost": 0.01},
    "limits": {"amount": {"min": 1e-8, "max": 1e8}, "cost": LIMITS, "price": LIMITS, "leverage": LIMITS},
}  # fmt: skip
PRICING = {"price_side": "other", "use_order_book": False, "order_book_top": 1, "price_last_balance": 0.0}


def settings(folder: Path, strategies: str) -> dict:
    return {
        "exchange": {"name": "binance", "key": "", "secret": "", "pair_whitelist": [PAIR], "pair_blacklist": []},
        "pairlists": [{"method": "StaticPairList"}], "trading_mode": "spot", "margin_mode": "",
        "candle_type_def": "spot", "runmode": RunMode.BACKTEST, "export": "none", "timerange": "",
        "stake_currency": "USDT", "stake_amount": 1000, "dry_run": True, "dry_run_wallet": 100_000,
        "max_open_trades": 1,
        "strategy": "AverageStrategy", "strategy_path": strategies, "timeframe": "1m", "fee": 0.0,
        "datadir": folder, "user_data_dir": folder, "dataformat_ohlcv": "feather", "exportfilename": folder / "none",
        "entry_pricing": PRICING, "exit_pricing": PRICING, "tradable_balance_ratio": 1.0, "internals": {},
        "unfilledtimeout": {"entry": 10, "exit": 10, "unit": "minutes"}, "original_config": {},
        "order_types": {"entry": "market", "exit": "market", "stoploss": "market", "stoploss_on_exchange": False},
    }  # fmt: skip


def candles(path: str) -> pd.DataFrame:
    rows = pd.read_csv(path)
    opened = pd.to_datetime(rows.timestamp, utc=True) - pd.Timedelta(minutes=1)
    prices = rows[["open", "high", "low", "close"]]
    return pd.concat([opened.rename("date"), prices, rows.volume.astype(float)], axis=1)


def main(path: str, strategies: str) -> None:
    answers = {
        "validate_config": MagicMock(), "validate_timeframes": MagicMock(), "reload_markets": MagicMock(),
        "_load_async_markets": MagicMock(return_value={}), "fill_leverage_tiers": MagicMock(),
        "ohlcv_candle_limit": MagicMock(return_value=1000), "markets": PropertyMock(return_value={PAIR: MARKET}),
        "precisionMode": PropertyMock(return_value=4), "precision_mode_price": PropertyMock(return_value=4),
    }  # fmt: skip
    for name, answer in answers.items():
        patch.object(Exchange, name, answer).start()
    with tempfile.TemporaryDirectory() as folder:
        backtesting = Backtesting(settings(Path(folder), strategies))
        strategy = backtesting.strategylist[0]
        backtesting._set_strategy(strategy)
        data = candles(path)
        processed = strategy.advise_all_indicators({PAIR: data})
        start, end = (data.date.iloc[at].to_pydatetime() for at in (0, -1))
        played = backtesting.backtest(processed=processed, start_date=start, end_date=end)["results"]
    wanted = ["open_date", "open_rate", "close_date", "close_rate", "exit_reason"]
    sys.stdout.write(played[wanted].to_csv(index=False))


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    main(*sys.argv[1:])
