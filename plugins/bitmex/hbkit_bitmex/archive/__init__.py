"""What a BitMEX account left behind in files of its owner, turned into a run: `hbkit import bitmex-archive`.

files.py        any of the files as rows with their lines
moments.py      times of the API, and those that a browser wrote
cells.py        rows as wallet movements and executions, every fault with its place
merging.py      rows of several files as one history, each once
wallet.py       movements, held against the balances that stand beside them
markets.py      the instruments that executions speak of
trades.py       executions booked, and looked at for holes
sessions.py     both held against each other: what a day settled, and what the executions make of it
course.py       every movement with its moment
outcome.py      the result with its tables
writing.py      the CSV files and the folder of the run
importing.py    from files to the run they make, in one call
command.py      the command
"""
