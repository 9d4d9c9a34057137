"""Parameters: what a config may give, what it gets for it, and what a strategy's author may declare."""

import importlib.util
import math
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest

from hbkit.trading.params import Param, bind
from hbkit.trading.strategy import Strategy


class Pace(StrEnum):
    SLOW = "slow"
    FAST = "fast"


class Sample(Strategy):
    count: int = Param(20, ge=1, le=50)
    drop: float = Param(1.0, gt=0, lt=100)
    exact: Decimal = Param(Decimal("0.1"), ge=0.1)
    word: str = Param("a", choices=("a", "b"))
    flag: bool = Param(False)
    stop: float | None = Param(None, gt=0)
    pace: Pace = Param(Pace.SLOW)
    untyped = Param(5)


@pytest.mark.parametrize(
    ("name", "value", "parsed"),
    [
        ("count", 7, 7),
        ("count", "7", 7),
        ("count", 7.0, 7),
        ("count", Decimal(7), 7),
        ("count", "5e1", 50),
        ("drop", "2.5", 2.5),
        ("drop", Decimal("2.5"), 2.5),
        ("drop", 2, 2.0),
        ("exact", 0.1, Decimal("0.1")),
        ("exact", "0.10", Decimal("0.10")),
        ("word", "b", "b"),
        ("flag", True, True),
        ("flag", "True", True),
        ("flag", "false", False),
        ("stop", None, None),
        ("stop", "1.5", 1.5),
        ("pace", "fast", Pace.FAST),
        ("untyped", "6", 6),
    ],
)
def test_a_value_becomes_the_type_that_was_declared(name: str, value: Any, parsed: Any) -> None:
    values, problems = bind(Sample, Sample.params, {name: value})
    assert problems == {}
    assert values[name] == parsed
    assert type(values[name]) is type(parsed)


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("count", 0, "count must be >= 1 and <= 50, got 0"),
        ("count", 51, "count must be >= 1 and <= 50, got 51"),
        ("count", 1.5, "count must be a whole number >= 1 and <= 50, got 1.5"),
        ("count", "ten", 'count must be a whole number >= 1 and <= 50, got text "ten"'),
        ("count", True, "count must be a whole number >= 1 and <= 50, got True"),
        ("count", [1], "count must be a whole number >= 1 and <= 50, got [1]"),
        ("count", None, "count must be a whole number >= 1 and <= 50, got None"),
        ("drop", 0, "drop must be > 0 and < 100, got 0"),
        ("drop", 100, "drop must be > 0 and < 100, got 100"),
        ("drop", math.nan, "drop must be a number > 0 and < 100, got nan"),
        ("drop", math.inf, "drop must be a number > 0 and < 100, got inf"),
        ("drop", "1e400", 'drop must be a number > 0 and < 100, got text "1e400"'),
        ("drop", False, "drop must be a number > 0 and < 100, got False"),
        ("exact", "0.09", "exact must be >= 0.1, got 0.09"),
        ("word", "c", "word must be one of a, b, got c"),
        ("word", 1, "word must be text one of a, b, got 1"),
        ("flag", 1, "flag must be true or false, got 1"),
        ("stop", -1, "stop must be > 0, got -1"),
        ("pace", "brisk", "pace must be one of slow, fast, got brisk"),
    ],
)
def test_what_cannot_be_used_is_told_in_the_users_words(name: str, value: Any, problem: str) -> None:
    _, problems = bind(Sample, Sample.params, {name: value})
    assert problems == {name: problem}


def test_bounds_are_shown_as_they_were_written() -> None:
    class Wide(Strategy):
        money: float = Param(5_000_000, ge=1_234_567, le=10_000_000)

    assert Wide.params["money"].bounds == ">= 1234567 and <= 10000000"


def test_an_unknown_parameter_is_told_with_the_nearest_name() -> None:
    _, problems = bind(Sample, Sample.params, {"cuont": 5, "xyz": 1})
    assert problems["cuont"] == 'unknown parameter "cuont" of Sample; did you mean "count"?'
    assert problems["xyz"].startswith('unknown parameter "xyz" of Sample; parameters: count, drop')


def test_a_parameter_without_a_default_has_to_be_given() -> None:
    class Needs(Strategy):
        qty: float = Param(gt=0)

    assert bind(Needs, Needs.params, {})[1] == {"qty": "parameter qty of Needs is missing; it must be a number"}
    assert bind(Needs, Needs.params, {"qty": 3}) == ({"qty": 3.0}, {})


@pytest.mark.parametrize("default", [[1], {"a": 1}, {1}, bytearray(b"a")], ids=repr)
def test_a_default_that_runs_would_share_is_refused(default: Any) -> None:
    with pytest.raises(TypeError, match=r"Shared.things has a mutable default"):
        type("Shared", (Strategy,), {"things": Param(default)})


@pytest.mark.parametrize(
    ("hint", "default", "problem"),
    [
        (int, 1.5, "the default of Wrong.x must be a whole number, got 1.5"),
        (float, "a", 'the default of Wrong.x must be a number, got text "a"'),
        (float, None, "the default of Wrong.x must be a number, got None"),
    ],
)
def test_a_default_must_keep_to_its_own_type(hint: type, default: Any, problem: str) -> None:
    with pytest.raises(TypeError, match=problem):
        type("Wrong", (Strategy,), {"__annotations__": {"x": hint}, "x": Param(default)})


@pytest.mark.parametrize("name", ["buy", "orders", "position", "on_trade", "name", "params"])
def test_a_parameter_does_not_hide_what_a_strategy_can_do(name: str) -> None:
    with pytest.raises(TypeError, match=rf"Hides.{name} would hide"):
        type("Hides", (Strategy,), {name: Param(5)})


def test_parameters_are_inherited_changed_and_fixed() -> None:
    class Base(Strategy):
        fast: int = Param(20, ge=1)
        slow: int = Param(50, ge=2)

    class Child(Base):
        fast: int = Param(5, ge=3)
        slow = 99
        qty: float = Param(1.0)

    assert list(Base.params) == ["fast", "slow"]
    assert list(Child.params) == ["fast", "qty"]
    assert bind(Child, Child.params, {})[0] == {"fast": 5, "qty": 1.0}
    assert "unknown parameter" in bind(Child, Child.params, {"slow": 3})[1]["slow"]
    assert Child.slow == 99
    assert bind(Base, Base.params, {})[0] == {"fast": 20, "slow": 50}


FUTURE = """
from __future__ import annotations
from decimal import Decimal as Exact
from enum import Enum
from hbkit import Param, Strategy

class Kind(Enum):
    A = "a"

class Later(Strategy):
    count: int = Param(ge=1)
    exact: Exact = Param(1)
    stop: float | None = Param(None)
    kind: Kind = Param(Kind.A)
    lost: Nowhere = Param(1.5)
"""


def test_annotations_that_are_kept_as_text_mean_the_same(tmp_path: Path) -> None:
    file = tmp_path / "later.py"
    file.write_text(FUTURE)
    spec = importlib.util.spec_from_file_location("later_under_test", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    import sys

    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules[spec.name]
    given = {"count": "3", "exact": 2, "stop": "1", "kind": "a", "lost": 2}
    values, problems = bind(module.Later, module.Later.params, given)
    assert problems == {}
    assert values == {"count": 3, "exact": Decimal(2), "stop": 1.0, "kind": module.Kind.A, "lost": 2.0}
    assert bind(module.Later, module.Later.params, {})[1] == {
        "count": "parameter count of Later is missing; it must be a whole number"
    }
