"""What `hbkit new` writes: strategies, exchanges and projects that run and whose tests pass before anything is edited.

The texts lie in `texts/`, with `$name` and the like where a name goes; a skeleton is a list of files for a folder, and
`write` puts it there without touching anything that exists.
"""

from hbkit.skeletons.exchange import exchange
from hbkit.skeletons.market import Market
from hbkit.skeletons.names import Named, named, project_named
from hbkit.skeletons.project import project
from hbkit.skeletons.strategy import strategy, strategy_package
from hbkit.skeletons.writing import File, write

__all__ = [
    "File",
    "Market",
    "Named",
    "exchange",
    "named",
    "project",
    "project_named",
    "strategy",
    "strategy_package",
    "write",
]
