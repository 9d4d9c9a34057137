"""The one matching engine: pure, synchronous, time comes in as an argument."""
