"""The three built-in fill models, asked directly."""

import pytest

from hbkit.matching import BUILT_IN, UNKNOWN_SIZE


@pytest.mark.parametrize(
    ("model", "beyond", "offered", "filled"),
    [
        ("queue", False, 40, 40),
        ("queue", True, 40, 40),
        ("queue", False, 400, 100),
        ("queue", True, UNKNOWN_SIZE, 100),
        ("queue", False, 0, 0),
        ("touch", False, 0, 100),
        ("touch", True, 0, 100),
        ("through", False, UNKNOWN_SIZE, 0),
        ("through", True, 0, 100),
    ],
)
def test_how_much_of_an_order_for_100_fills(model: str, beyond: bool, offered: int, filled: int) -> None:
    assert BUILT_IN[model]().fillable(beyond, 100, offered) == filled


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_model_is_found_under_its_own_name(name: str) -> None:
    assert BUILT_IN[name]().name == name


def test_only_the_queue_counts_sizes() -> None:
    assert [name for name in BUILT_IN if BUILT_IN[name]().uses_queue] == ["queue"]
