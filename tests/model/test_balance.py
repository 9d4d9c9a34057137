"""Currencies: minor units to text and back."""

from decimal import Decimal

import pytest

from hbkit.model import Currency

XBT, USDT, YEN = Currency("XBT", 8), Currency("USDT", 6), Currency("JPY", 0)


@pytest.mark.parametrize(
    ("currency", "minor", "text"),
    [
        (XBT, 1234, "0.00001234"),
        (XBT, -1234, "-0.00001234"),
        (XBT, 0, "0.00000000"),
        (XBT, 123_456_789_012, "1234.56789012"),
        (USDT, -1, "-0.000001"),
        (YEN, 500, "500"),
        (YEN, -500, "-500"),
    ],
)
def test_text_has_all_decimals(currency: Currency, minor: int, text: str) -> None:
    assert currency.text(minor) == text


@pytest.mark.parametrize("minor", [0, 1, -1, 99_999_999, 10**20 + 1])
def test_text_and_minor_are_inverse(minor: int) -> None:
    assert XBT.minor(XBT.text(minor)) == minor


def test_amount_is_whole_currency() -> None:
    assert XBT.amount(150_000_000) == 1.5


@pytest.mark.parametrize(("amount", "minor"), [("0.5", 50_000_000), (Decimal("1e-8"), 1), (2, 200_000_000)])
def test_minor_units_of_an_amount(amount: str | Decimal | int, minor: int) -> None:
    assert XBT.minor(amount) == minor


def test_more_decimals_than_the_currency_has_are_refused() -> None:
    with pytest.raises(ValueError, match=r"0\.000000001 XBT has more than 8 decimals"):
        XBT.minor("0.000000001")


def test_a_currency_reads_as_its_code() -> None:
    assert str(XBT) == "XBT"
