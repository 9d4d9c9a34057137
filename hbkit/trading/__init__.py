"""What a strategy touches: its base class, its markets, the trader behind them."""
