"""What cannot work in a strategy is found before anything starts, with its place and its mend."""

import inspect
from typing import Any

import pytest

from hbkit.trading.contract import check_class, is_defined
from hbkit.trading.strategy import CALLBACKS, Strategy


class Misspelt(Strategy):
    def on_tarde(self, trade: Any) -> None: ...


class Foreign(Strategy):
    def on_zebra_crossing(self) -> None: ...


class Async(Strategy):
    async def on_trade(self, trade: Any) -> None: ...


class Yields(Strategy):
    def on_trade(self, trade: Any) -> Any:
        yield trade


class AsyncYields(Strategy):
    async def on_start(self) -> Any:
        yield


class NoArgument(Strategy):
    def on_trade(self) -> None: ...


class NoSelf(Strategy):
    def on_quote() -> None: ...  # type: ignore[misc]


class TooMany(Strategy):
    def on_candle(self, candle: Any, more: Any) -> None: ...


class StartTakesSomething(Strategy):
    def on_start(self, config: Any) -> None: ...


@pytest.mark.parametrize(
    ("cls", "code", "message"),
    [
        (Misspelt, "HB303", 'Misspelt has on_tarde; no such callback. Did you mean "on_trade"?'),
        (Foreign, "HB303", "Foreign has on_zebra_crossing; no such callback. Callbacks: on_balance, on_book"),
        (Async, "HB304", "Async.on_trade is async; market callbacks are plain functions: write def on_trade(...)"),
        (Yields, "HB304", "Yields.on_trade contains yield, so its body would never run; take the yield out"),
        (AsyncYields, "HB304", "AsyncYields.on_start contains yield"),
        (NoArgument, "HB303", "NoArgument.on_trade must be def on_trade(self, trade)"),
        (NoSelf, "HB303", "NoSelf.on_quote must be def on_quote(self, quote)"),
        (TooMany, "HB303", "TooMany.on_candle must be def on_candle(self, candle)"),
        (StartTakesSomething, "HB303", "StartTakesSomething.on_start must be def on_start(self)"),
    ],
)
def test_a_callback_that_cannot_work_is_a_fault_with_its_place(
    cls: type[Strategy], code: str, message: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.chdir(request.config.rootpath)
    (fault,) = check_class(cls)
    assert fault.code == code
    assert fault.message.startswith(message)
    # The first statement of each class above is the callback in question.
    assert fault.place == f"tests/trading/test_contract.py:{inspect.getsourcelines(cls)[1] + 1}"
    assert str(fault).startswith(f"error[{code}] tests/trading/test_contract.py:")


class Sound(Strategy):
    async def on_start(self) -> None: ...

    async def on_stop(self) -> None: ...

    def on_trade(self, *anything: Any) -> None: ...

    def on_quote(self, quote: Any, more: Any = None) -> None: ...

    def _on_inside(self) -> None: ...

    on_purpose = 5


def test_what_can_work_has_no_fault() -> None:
    assert check_class(Sound) == []


def test_every_fault_is_told_at_once_also_of_base_classes() -> None:
    class Child(Misspelt):
        async def on_quote(self, quote: Any) -> None: ...

    assert [fault.code for fault in check_class(Child)] == ["HB304", "HB303"]


class Logging:
    def on_fill(self, fill: Any) -> None: ...


def test_a_callback_that_the_base_class_hides_is_a_fault() -> None:
    class Wrong(Strategy, Logging): ...

    class Right(Logging, Strategy): ...

    (fault,) = check_class(Wrong)
    assert fault.message == (
        "Logging.on_fill is never called: Strategy comes before Logging in Wrong; write class Wrong(Logging, Strategy)"
    )
    assert check_class(Right) == []
    assert is_defined(Right, "on_fill")


def test_the_list_of_callbacks_is_what_the_base_class_has() -> None:
    assert set(CALLBACKS) == {name for name in vars(Strategy) if name.startswith("on_")}
    assert not any(is_defined(Strategy, name) for name in CALLBACKS)


class Shadow(Strategy):
    qty: float = 1.0

    def balance(self) -> float:
        return 1.0

    orders = ()


def test_a_name_that_every_strategy_has_is_not_to_be_taken() -> None:
    faults = check_class(Shadow)
    assert [(fault.code, fault.severity) for fault in faults] == [("HB303", "error")] * 2
    assert [fault.message.split(" hides ")[0] for fault in faults] == ["Shadow.balance", "Shadow.orders"]
    first = inspect.getsourcelines(Shadow)[1]
    assert [fault.line for fault in faults] == [first + 3, first + 6]
