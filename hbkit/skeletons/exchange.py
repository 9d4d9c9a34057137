"""The skeleton of an exchange: a connector over HTTP and a websocket, a venue of its own, and the contract suite.

The connector's logic, its translator and its capabilities are those of `hbkit.testing.fake`, which are the model for
authors and pass every case: they are read there and given the names of the new package. What differs from venue to
venue, the link, has a text of its own.
"""

from __future__ import annotations

import json
from importlib.resources import files

from hbkit.skeletons.names import Named
from hbkit.skeletons.writing import File, made

_WORDS = '''"""$cls: what any connector has to do, whatever its venue.

It keeps a stream up and tells of a gap, holds a book back until it is whole, and never makes a fact of an answer that
was lost. `link.py` signs and sends, `wire.py` translates the venue's words.
"""'''
_IMPORTS = """from hbkit.net.websocket import Backoff

from $package.capabilities import CAPABILITIES
from $package.link import Link, Lost, LostAnswer, Stream
from $package.tasks import Tasks
from $package.wire import Row, Wire
"""
_MODEL_IMPORTS = """from hbkit.net.websocket import Backoff
from hbkit.testing.fake.capabilities import CAPABILITIES
from hbkit.testing.fake.link import Link, LostAnswer
from hbkit.testing.fake.rows import Row
from hbkit.testing.fake.tasks import Tasks
from hbkit.testing.fake.venue import Lost, Refused, Stream
from hbkit.testing.fake.wire import Wire
"""
_SHUT = """        await self._tasks.end()
"""
_SHUT_LINK = """        await self._tasks.end()
        await self._link.close()
"""


def exchange(names: Named) -> list[File]:
    """A folder `hbkit-NAME`: a distribution with a connector, recorded messages, the contract suite and CI."""
    words = {"name": names.name, "cls": names.cls, "package": names.package, "distribution": names.distribution}
    messages = json.loads(made("exchange/messages.json", "").text)
    package = names.package
    listing = [
        File(f"{package}/__init__.py", f'"""{names.cls} for hbkit."""\n'),
        File(f"{package}/py.typed", ""),
        made("exchange/plugin.py", f"{package}/plugin.py", **words),
        File(f"{package}/capabilities.py", _capabilities(names)),
        File(f"{package}/exchange.py", _connector(names)),
        made("exchange/link.py", f"{package}/link.py", **words),
        File(f"{package}/tasks.py", _model("tasks", names, ('get_logger("fake")', 'get_logger("$name")'))),
        File(f"{package}/wire.py", _wire(names)),
        made("exchange/compliance.py", f"{package}/compliance.py", **words),
        made("exchange/test_contract.py", "tests/test_contract.py", **words),
        made("exchange/test_messages.py", "tests/test_messages.py", **words),
        *(File(f"tests/messages/{name}.json", json.dumps(row) + "\n") for name, row in messages.items()),
        made("exchange/pyproject.toml", "pyproject.toml", **words),
        made("exchange/README.md", "README.md", **words),
        made("package/workflow.yml", ".github/workflows/tests.yml"),
        made("gitignore", ".gitignore"),
    ]
    return [File(f"{names.distribution}/{one.path}", one.text) for one in listing]


def _connector(names: Named) -> str:
    return _model(
        "exchange",
        names,
        (_docstring("exchange"), _WORDS),
        ("import msgspec\n\nfrom hbkit", "import msgspec\nfrom hbkit"),  # for the new package both are third parties
        (_MODEL_IMPORTS, _IMPORTS),
        ('"""One account at the venue in memory."""', '"""One account."""'),
        ("except (Lost, Refused, ExchangeError) as error", "except (Lost, ExchangeError) as error"),
        ('get_logger("fake")', 'get_logger("$name")'),
        (_SHUT, _SHUT_LINK),
    )


def _wire(names: Named) -> str:
    return _model(
        "wire",
        names,
        ("The words of FakeVenue's wire", "The words of the venue's wire"),
        ("import math\n", "import math\nfrom typing import Any\n"),
        ("from hbkit.testing.fake.rows import Row\n\n", "\nRow = dict[str, Any]\n"),
    )


def _capabilities(names: Named) -> str:
    words = '"""What this exchange can do; what is not declared is refused before it is sent, and its cases skipped."""'
    return _model("capabilities", names, (_docstring("capabilities"), words))


def _model(module: str, names: Named, *changes: tuple[str, str]) -> str:
    """A module of `hbkit.testing.fake` with the names of the new package; each change has to find its place."""
    text = _source(module)
    for before, after in changes:
        if text.count(before) != 1:
            raise AssertionError(f"hbkit.testing.fake.{module} has changed: {before[:60]!r} is not there once")
        text = text.replace(before, after)
    text = text.replace("FakeExchange", "$cls")
    for word, name in (("$cls", names.cls), ("$name", names.name), ("$package", names.package)):
        text = text.replace(word, name)
    return text


def _docstring(module: str) -> str:
    text = _source(module)
    return text[: text.index('"""', 3) + 3]


def _source(module: str) -> str:
    return files("hbkit.testing.fake").joinpath(f"{module}.py").read_text(encoding="utf-8")
