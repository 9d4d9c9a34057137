"""Measurements, always as a ratio against a floor or another system in the same run; never part of the tests."""
