"""What a BitMEX account left behind in files of its owner, turned into a run: `hbkit import bitmex-archive`.

files.py        any of the files as rows with their lines moments.py      times of the API, and those that a browser
wrote cells.py        rows as wallet movements and executions, every fault with its place wallet.py       movements of
several files put together, and held against the balances beside them trades.py       executions put together and
booked sessions.py     both held against each other: what a day settled, and what the executions make of it outcome.py
the result with its tables writing.py      the CSV files and the folder of the run command.py      the command
"""
