"""Accounts from a file: balances, keys that may do less, and every fault of the file with its place."""

import textwrap

import pytest
from hbkit_bitmex.simulator.accountfile import read_accounts
from hbkit_bitmex.simulator.command import command
from hbkit_bitmex.simulator.shapes import Shape

from hbkit.errors import ConfigError, UsageError

FILE = """
    accounts:
      - balances: {XBT: 2.5, USDT: 50000}
        keys:
          - {key: trader, secret: "${WORD}", permissions: [order]}
          - {key: stopper, secret: stopper-secret, permissions: [orderCancel]}
          - {key: viewer, secret: viewer-secret}
          - {key: far, secret: far-secret, permissions: [order], cidrs: [203.0.113.0/24]}
          - {key: shut, secret: shut-secret, enabled: false}
      - keys: [{key: second, secret: second-secret, permissions: [order, withdraw]}]
"""


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def put(text):
        (tmp_path / "accounts.yaml").write_text(textwrap.dedent(text))
        return read_accounts("accounts.yaml", {"WORD": "a-word"})

    return put


def test_balances_and_keys(write):
    first, second = write(FILE)
    # 2.5 XBT in satoshi, 50,000 USDT in millionths, no ETH.
    assert first.balances == {"XBt": 250_000_000, "USDt": 50_000_000_000, "Gwei": 0}
    assert [(key.name, key.secret, sorted(key.permissions)) for key in first.keys][:3] == [
        ("trader", "a-word", ["order"]),
        ("stopper", "stopper-secret", ["orderCancel"]),
        ("viewer", "viewer-secret", []),
    ]
    assert "a-word" not in repr(first)
    assert second.balances is None


def test_a_key_may_have_rows_of_an_older_generation(write):
    (account,) = write(
        FILE.replace("secret: viewer-secret}", "secret: viewer-secret, row_shape: full}").split("- keys")[0]
    )
    shapes = {key.name: key.row_shape for key in account.keys}
    assert shapes == {"trader": None, "stopper": None, "viewer": Shape.FULL, "far": None, "shut": None}


def test_an_unknown_shape_is_a_fault_with_its_place(write):
    with pytest.raises(ConfigError) as caught:
        write("accounts: [{keys: [{key: a, secret: b, row_shape: wide}]}]")
    (fault,) = caught.value.faults
    assert (fault.code, fault.line, fault.column) == ("HB441", 1, 51)
    assert fault.message == "row_shape is sparse or full"


ORDER = {"symbol": "XBTUSD", "side": "Buy", "orderQty": 100, "price": 5000}


def test_each_key_may_do_what_it_may(at_the_desk, write, monkeypatch):
    planned = write(FILE)
    secrets = {key.name: key.secret for account in planned for key in account.keys}

    async def story(desk):
        for name, secret in secrets.items():
            monkeypatch.setitem(type(desk).sign.__globals__["SECRETS"], name, secret)
        placed = {name: await desk.call("POST", "/order", ORDER, key=name) for name in secrets}
        cancelled = {name: await desk.call("DELETE", "/order/all", key=name) for name in secrets}
        wallets = {name: await desk.call("GET", "/user/wallet?currency=all", key=name) for name in secrets}
        keys = (await desk.call("GET", "/apiKey", key="viewer")).body
        return placed, cancelled, wallets, keys

    placed, cancelled, wallets, keys = at_the_desk(story, planned=planned)
    assert {name: answer.status for name, answer in placed.items()} == {
        "trader": 200, "stopper": 403, "viewer": 403, "far": 403, "shut": 403, "second": 200,
    }  # fmt: skip
    assert placed["viewer"].message == "Access Denied"
    assert placed["shut"].message == "This key is disabled."
    assert {name: answer.status for name, answer in cancelled.items()} == {
        "trader": 200, "stopper": 200, "viewer": 403, "far": 403, "shut": 403, "second": 200,
    }  # fmt: skip
    # The account's orders are everybody's who has a key of it; `far` is too near.
    assert len(cancelled["trader"].body) == 1
    assert cancelled["stopper"].body == []
    assert {row["currency"]: row["amount"] for row in wallets["viewer"].body} == {
        "XBt": 250_000_000, "USDt": 50_000_000_000, "Gwei": 0,
    }  # fmt: skip
    assert [key["id"] for key in keys] == ["trader", "stopper", "viewer", "far", "shut"]
    assert keys[3]["cidr"] == "203.0.113.0/24"


@pytest.mark.parametrize(("address", "may"), [("203.0.113.9", True), ("127.0.0.1", False), ("", False), ("?", False)])
def test_from_where_a_key_may_be_used(write, address, may):
    from hbkit_bitmex.simulator.auth import Key

    far = write(FILE)[0].keys[3]
    assert Key(far.name, far.secret, None, far.permissions, far.enabled, far.cidrs).may_come_from(address) is may


FAULTS = {
    "no list": ("accounts: 7", "accounts.yaml:1:11 accounts is a list of accounts"),
    "other top": ("account: []", 'accounts.yaml:1:1 unknown key "account"; did you mean "accounts"?'),
    "no keys": ("accounts: [{balances: {XBT: 1}}]", "accounts.yaml:1:12 keys is a list of keys"),
    "misspelt": (
        "accounts: [{keys: [{key: a, secret: b, permission: [order]}]}]",
        'accounts.yaml:1:40 unknown key "permission"; did you mean "permissions"?',
    ),
    "permission": (
        "accounts: [{keys: [{key: a, secret: b, permissions: [trade]}]}]",
        'accounts.yaml:1:54 there is no permission "trade"',
    ),
    "network": (
        "accounts: [{keys: [{key: a, secret: b, cidrs: [here]}]}]",
        'accounts.yaml:1:48 "here" is no network; write one as 127.0.0.0/8',
    ),
    "no secret": ("accounts: [{keys: [{key: a}]}]", "accounts.yaml:1:20 this key has no `secret`"),
    "number": ("accounts: [{keys: [{key: 7, secret: b}]}]", "accounts.yaml:1:26 key is a text; put it in quotes"),
    "twice": (
        "accounts: [{keys: [{key: a, secret: b}, {key: a, secret: c}]}]",
        'accounts.yaml:1:47 the key "a" stands above already; give this one another name',
    ),
    "currency": (
        "accounts: [{balances: {BTC: 1}, keys: [{key: a, secret: b}]}]",
        'accounts.yaml:1:24 unknown key "BTC"; did you mean "XBT"?',
    ),
    "amount": (
        "accounts: [{balances: {XBT: -1}, keys: [{key: a, secret: b}]}]",
        "accounts.yaml:1:29 XBT is an amount such as 1.5",
    ),
    "too fine": (
        "accounts: [{balances: {XBT: 0.000000001}, keys: [{key: a, secret: b}]}]",
        "accounts.yaml:1:29 0.000000001 XBT has more than 8 decimals",
    ),
    "variable": ("accounts: [{keys: [{key: a, secret: '${NOT_SET}'}]}]", "accounts.yaml:1:37"),
    "enabled": ("accounts: [{keys: [{key: a, secret: b, enabled: 2}]}]", "accounts.yaml:1:49 enabled is true or false"),
}


@pytest.mark.parametrize("text", FAULTS)
def test_faults_have_place_cause_and_mend(write, text):
    content, expected = FAULTS[text]
    with pytest.raises(ConfigError) as raised:
        write(content)
    assert expected in str(raised.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(UsageError, match=r'account file ".*" cannot be read: No such file'):
        read_accounts(str(tmp_path / "nothing.yaml"), {})


def test_the_command_takes_a_file():
    (option,) = [one for one in command.params if one.name == "accounts"]
    assert option.metavar == "KEY:SECRET|@FILE"
