"""One tree of errors: exit codes, places, and the nearest known name."""

import pytest

from hbkit import errors
from hbkit.errors import ConfigError, Fault, Faults, HbkitError, StateError, StrategyError, did_you_mean, nearest

EXITS = {
    "ConfigError": 2, "UsageError": 2, "PluginError": 2, "DataError": 2, "StateError": 2, "AlreadyRunning": 3,
    "ExchangeError": 4, "AuthenticationError": 4, "OrderRejected": 4, "RateLimited": 4, "Unsupported": 4,
    "WireError": 4, "Disconnected": 4, "Timeout": 4, "StrategyError": 5, "RiskStop": 6, "HbkitError": 1,
}  # fmt: skip


def test_every_error_is_in_the_tree_of_the_docstring_with_its_exit_code() -> None:
    found = {
        name: member.exit_code
        for name, member in vars(errors).items()
        if isinstance(member, type) and issubclass(member, HbkitError)
    }
    assert found == EXITS
    assert errors.__doc__ is not None
    assert all(name in errors.__doc__ for name in found)


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (Fault("HB101", "what", "demo.yaml", 14, 5), "error[HB101] demo.yaml:14:5 what"),
        (Fault("HB101", "what", "demo.yaml", 14), "error[HB101] demo.yaml:14 what"),
        (Fault("HB101", "what", None, 14, 5), "error[HB101] what"),
        (Fault("HB111", "what", "demo.yaml", severity="warning"), "warning[HB111] demo.yaml what"),
    ],
)
def test_a_fault_says_its_place_as_far_as_it_is_known(fault: Fault, text: str) -> None:
    assert str(fault) == text


def test_all_faults_are_told_in_the_order_of_the_file() -> None:
    faults = Faults()
    faults.add("HB101", "late", file="a.yaml", line=9)
    faults.add("HB111", "only a warning", file="a.yaml", line=5, severity="warning")
    faults.add("HB102", "early", file="a.yaml", line=2)
    with pytest.raises(ConfigError) as caught:
        faults.check()
    assert str(caught.value).splitlines() == [
        "error[HB102] a.yaml:2 early",
        "warning[HB111] a.yaml:5 only a warning",
        "error[HB101] a.yaml:9 late",
        "2 errors, nothing was started",
    ]
    assert caught.value.code == "HB102"


def test_warnings_alone_stop_nothing() -> None:
    faults = Faults()
    faults.add("HB111", "only a warning", severity="warning")
    faults.check()


def test_an_error_carries_its_code() -> None:
    assert str(StateError("no room")) == "error[HB601] no room"
    assert str(StrategyError("too much", code="HB411")) == "error[HB411] too much"
    assert StrategyError("a").code == "HB310"


@pytest.mark.parametrize(
    ("name", "found"), [("levrage", "leverage"), ("LEVERAGE", "leverage"), ("mdoe", "mode"), ("zebra", None)]
)
def test_the_nearest_name(name: str, found: str | None) -> None:
    assert nearest(name, ["leverage", "mode"]) == found


def test_without_a_near_name_all_are_listed() -> None:
    assert did_you_mean("zebra", ["b", "a"], what="modes") == "modes: a, b"
    assert did_you_mean("zebra", [], what="modes") == "modes: none"


def test_a_long_list_is_cut_and_counted() -> None:
    told = did_you_mean("zebra", [f"n{number:03}" for number in range(300)], what="instruments")
    assert told.startswith("instruments: n000, n001")
    assert told.endswith("n023 and 276 more")
