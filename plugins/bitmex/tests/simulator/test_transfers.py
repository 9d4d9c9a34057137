"""Addresses to pay in at, and withdrawals: what moves, and what is refused."""

import pytest
from hbkit_bitmex.simulator.options import PlannedAccount, PlannedKey

PLANNED = (PlannedAccount((PlannedKey("payer", "payer-secret", frozenset({"order", "withdraw"})),)),)
OUT = {"currency": "XBt", "network": "btc", "amount": 10_000_000, "address": "somewhere", "fee": 20_000}


@pytest.fixture
def payer(at_the_desk, monkeypatch):
    """Runs a story with a key that may withdraw."""

    def run(story):
        async def whole(desk):
            monkeypatch.setitem(type(desk).sign.__globals__["SECRETS"], "payer", "payer-secret")
            return await story(desk)

        return at_the_desk(whole, planned=PLANNED)

    return run


def test_an_address_is_one_text_and_stays_the_same(payer):
    async def story(desk):
        route = "/user/depositAddress?currency=XBt&network=btc"
        mine = [(await desk.call("GET", route, key="payer")).body for _ in range(2)]
        return mine, (await desk.call("GET", route)).body, (await desk.call("GET", f"{route}h")).message

    (first, again), other, unknown = payer(story)
    assert first.startswith('"simulator-btc-')
    assert first == again != other
    assert unknown == "Invalid currency"


def test_a_withdrawal_leaves_the_wallet_with_its_fee(payer):
    async def story(desk):
        socket = await desk.socket("wallet", "margin", key="payer")
        answer = await desk.call("POST", "/user/requestWithdrawal", OUT, key="payer")
        wallet = (await desk.call("GET", "/user/wallet", key="payer")).body
        history = (await desk.call("GET", "/user/walletHistory", key="payer")).body
        return answer, wallet, history, socket.rows("wallet", "update")

    answer, wallet, history, told = payer(story)
    assert answer.status == 200
    assert (answer.body["transactStatus"], answer.body["network"], answer.body["address"]) == (
        "Pending", "btc", "somewhere",
    )  # fmt: skip
    # 1 XBT less 0.1 less the fee of 20,000 satoshi.
    assert wallet["amount"] == 100_000_000 - 10_000_000 - 20_000 == told[-1]["amount"]
    assert wallet["withdrawn"] == 10_020_000
    assert [(row["transactType"], row["amount"], row["transactStatus"]) for row in history] == [
        ("Withdrawal", -10_020_000, "Completed"), ("Deposit", 100_000_000, "Completed"),
    ]  # fmt: skip
    assert sum(row["amount"] for row in history) == wallet["amount"]


@pytest.mark.parametrize(
    ("change", "status", "text"),
    [
        ({"amount": 100_000_000}, 400, "Account has insufficient Available Balance, 100020000 XBt required"),
        ({"amount": 0}, 400, "Invalid amount"),
        ({"amount": "much"}, 400, "Invalid amount"),
        ({"address": ""}, 400, "Invalid address"),
        ({"network": "eth"}, 400, "Invalid currency"),
        ({"currency": "all"}, 400, "Invalid currency"),
        ({"fee": -1}, 400, "Invalid fee"),
    ],
)
def test_what_is_refused_moves_nothing(payer, change, status, text):
    async def story(desk):
        answer = await desk.call("POST", "/user/requestWithdrawal", {**OUT, **change}, key="payer")
        return answer, (await desk.call("GET", "/user/wallet", key="payer")).body

    answer, wallet = payer(story)
    assert (answer.status, answer.message) == (status, text)
    assert wallet["amount"] == 100_000_000


def test_a_key_that_only_orders_withdraws_nothing(at_the_desk):
    async def story(desk):
        return await desk.call("POST", "/user/requestWithdrawal", OUT)

    answer = at_the_desk(story)
    assert (answer.status, answer.message) == (403, "Access Denied")
