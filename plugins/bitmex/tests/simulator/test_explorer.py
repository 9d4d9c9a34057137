"""The description says what is served, and what is made up from it breaks nothing."""

import pytest
from hbkit_bitmex.simulator.endpoints import ENDPOINTS
from hbkit_bitmex.simulator.routes import OUTSIDE


@pytest.fixture
def described(at_the_desk):
    async def story(desk):
        return (await desk.raw("GET", "/api/explorer/swagger.json")).body

    return at_the_desk(story)


def test_every_route_is_described_once_by_its_old_name(described):
    found = {
        (verb.upper(), path if path != "/" else ""): operation["operationId"]
        for path, operations in described["paths"].items()
        for verb, operation in operations.items()
    }
    assert found == {(route.verb, route.path): route.name for route in ENDPOINTS if not route.path.startswith(OUTSIDE)}
    assert len(set(found.values())) == len(found)
    # Names by which generated clients of the exchange call them (api-connectors, swagger.json).
    assert {found["POST", "/order"], found["GET", "/trade/bucketed"], found["GET", "/user/wallet"]} == {
        "Order.new", "Trade.getBucketed", "User.getWallet",
    }  # fmt: skip


def test_what_needs_a_key_says_so(described):
    paths = described["paths"]
    assert "security" not in paths["/trade"]["get"]
    assert paths["/order"]["get"]["security"] == [{"apiKey": [], "apiExpires": [], "apiSignature": []}]
    assert paths["/order"]["post"]["description"] == "Needs a key with the permission order."


def test_rows_answered_have_only_columns_that_are_described(at_the_desk, described):
    async def story(desk):
        await desk.place(side="Buy", orderQty=1000, ordType="Market")
        await desk.call("POST", "/order", {"symbol": "XBTUSD", "side": "Buy", "orderQty": 100, "price": 5000})
        bodies = {}
        for path, operations in described["paths"].items():
            if "get" in operations:
                needed = [one["name"] for one in operations["get"]["parameters"] if one["required"]]
                query = "&".join(f"{name}={REQUIRED[name]}" for name in needed)
                bodies[path] = await desk.call("GET", f"{path}?{query}" if query else path)
        return bodies

    for path, answer in at_the_desk(story).items():
        assert answer.status == 200, (path, answer.body)
        schema = described["paths"][path]["get"]["responses"]["200"].get("schema")
        if schema is None:
            continue
        rows = answer.body if "items" in schema else [answer.body]
        name = (schema.get("items") or schema)["$ref"].rpartition("/")[2]
        columns = described["definitions"][name]["properties"]
        for row in rows:
            assert set(row) <= set(columns), (path, set(row) - set(columns))


REQUIRED = {
    "symbol": "XBTUSD", "timestamp": "2019-05-28T00:00:00Z", "currency": "XBt", "network": "btc",
}  # fmt: skip


def test_made_up_requests_break_nothing():
    pytest.importorskip("schemathesis")
    from plugins.bitmex.tests.simulator.fuzz import campaign

    findings = campaign(24, 1, step=8)
    assert findings.broken == []
    assert findings.statuses.total() >= 12
    assert findings.statuses[200]
