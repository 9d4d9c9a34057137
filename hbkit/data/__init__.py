"""What a run reads and writes: sources of market data, candles, files, the journal."""
