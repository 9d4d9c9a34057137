"""The version as a literal, so that asking for it imports nothing (importlib.metadata alone costs about 100 ms)."""

VERSION = "0.1.0"
