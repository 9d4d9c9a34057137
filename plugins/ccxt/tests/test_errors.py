"""What an order may have become, and what its owner gets to read, for each way in which ccxt fails."""

from __future__ import annotations

import ccxt
import pytest
from hbkit_ccxt import errors
from hbkit_ccxt.errors import Request, Story, error_of

from hbkit.errors import AuthenticationError, ExchangeError, OrderRejected, RateLimited, Unsupported
from hbkit.net.http import RequestDisconnected, RequestTimeout, WireFailure


def told(failure, status=400, verb="POST", arrived=True):
    return error_of("okx", "create_order", failure, Story(requests=[Request(verb, arrived, status)]))


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (ccxt.InsufficientFunds("okx x"), errors.InsufficientFunds),
        (ccxt.OrderNotFound("okx x"), errors.OrderNotFound),
        (ccxt.DuplicateOrderId("okx x"), errors.DuplicateOrder),
        (ccxt.BadRequest('okx {"error":{"message":"Duplicate clOrdID"}}'), errors.DuplicateOrder),
        (ccxt.InvalidOrder("okx clientOid already exists"), errors.DuplicateOrder),
        (ccxt.InvalidOrder("okx client order id does not exist"), errors.Refusal),
        (ccxt.OrderImmediatelyFillable("okx x"), errors.WouldTrade),
        (ccxt.MarginModeAlreadySet("okx x"), errors.NoChange),
        (ccxt.InvalidOrder("okx x"), errors.Refusal),
        (ccxt.MarketClosed("okx x"), errors.Refusal),
        (ccxt.BadSymbol("okx x"), errors.Refusal),
        (ccxt.ExchangeError("okx x"), errors.Refusal),
        (ccxt.PermissionDenied("okx x"), errors.NotPermitted),
        (ccxt.AuthenticationError("okx x"), AuthenticationError),
        (ccxt.InvalidNonce("okx x"), errors.Expired),
        (ccxt.NotSupported("okx x"), Unsupported),
        (ccxt.RateLimitExceeded("okx x"), RateLimited),
        (ccxt.DDoSProtection("okx x"), RateLimited),
        (ccxt.ExchangeNotAvailable("okx POST https://www.okx.com/api 403 Forbidden"), ExchangeError),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_what_the_venue_answered_is_certain(failure, kind):
    found = told(failure)
    assert type(found) is kind
    assert not hasattr(found, "sent")


@pytest.mark.parametrize(
    ("failure", "status", "kind"),
    [
        (ccxt.RequestTimeout("okx POST https://www.okx.com"), None, RequestTimeout),
        (ccxt.RequestTimeout("okx 504"), 504, RequestTimeout),
        (ccxt.ExchangeNotAvailable("okx"), 503, RequestDisconnected),
        (ccxt.OnMaintenance("okx"), 200, RequestDisconnected),
        (ccxt.NetworkError("okx"), None, RequestDisconnected),
        (ccxt.ExchangeError("okx"), 502, RequestDisconnected),
        (ccxt.BadResponse("okx"), 200, RequestDisconnected),
        (ccxt.NullResponse("okx"), 200, RequestDisconnected),
        (ccxt.CancelPending("okx"), 200, RequestDisconnected),
        (KeyError("price"), 200, RequestDisconnected),
        (WireFailure("the server closed the connection", sent=True), None, RequestDisconnected),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_what_is_not_certain_may_have_arrived(failure, status, kind):
    found = told(failure, status)
    assert type(found) is kind
    assert found.sent
    assert "may have arrived" in found.message


def test_what_certainly_never_left_says_so():
    found = told(ccxt.ExchangeNotAvailable("okx"), None, arrived=False)
    assert not found.sent
    assert "was not sent" in found.message


def test_a_cancel_that_arrived_before_a_placement_that_did_not_counts_as_sent():
    halves = [Request("DELETE", True, 200), Request("POST", False)]
    found = error_of("okx", "edit_order", ccxt.NetworkError("okx"), Story(requests=halves))
    assert found.sent


def test_a_question_that_arrived_before_an_order_that_did_not_does_not():
    story = Story(requests=[Request("GET", True, 200), Request("POST", False)])
    assert not error_of("okx", "create_order", ccxt.NetworkError("okx"), story).sent


def test_bitmex_says_that_its_engine_was_not_reached():
    text = 'bitmex {"error":{"message":"The system is currently overloaded. Please try again later."}}'
    story = Story(requests=[Request("POST", True, 503)])
    found = error_of("bitmex", "create_order", ccxt.ExchangeNotAvailable(text), story)
    assert isinstance(found, RateLimited)


def test_the_wait_that_a_venue_names_is_kept():
    story = Story(requests=[Request("POST", True, 429)], retry_after=7.0)
    assert error_of("okx", "create_order", ccxt.RateLimitExceeded("okx"), story).retry_after == 7.0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('okx {"code":"1","data":[{"sCode":"51008","sMsg":"No balance"}],"msg":"All failed"}', "No balance"),
        ('okx {"error":{"message":"Account has insufficient funds","name":"E"}}', "Account has insufficient funds"),
        ('okx {"error":["EOrder:Insufficient funds"]}', "EOrder:Insufficient funds"),
        ('okx {"retCode":10001,"retMsg":"params error"}', "params error"),
        ("okx createOrder() requires a price", "createOrder() requires a price"),
        (
            "okx GET https://api.binance.com/v3/order?s=X&signature=abcdef 418 tea",
            "GET https://api.binance.com 418 tea",
        ),
        ("okx wss://stream.binance.com/ws/LISTENKEYLISTENKEY timed out", "wss://stream.binance.com timed out"),
        ("okx bad signature: deadbeef, api-key=abc", "bad signature: ***, api-key=***"),
        ("okx <html>\n<b>no</b>", "<html> <b>no</b>"),
        ("", "ExchangeError"),
    ],
)
def test_only_the_words_of_the_venue_go_on(text, words):
    assert errors.text_of("okx", ccxt.ExchangeError(text)) == words


def test_a_refusal_carries_the_order_it_is_about():
    found = error_of("okx", "create_order", ccxt.InvalidOrder("okx no"), Story(), order_id="bot1-7")
    assert isinstance(found, OrderRejected)
    assert (found.order_id, found.message) == ("bot1-7", "no")
