"""Signatures agree with every vector that the exchange and its tools have published, byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest
from hbkit_bitmex.auth import headers, realtime_signature, signature

PAYLOADS = Path(__file__).parent / "payloads"
KEY = "LAqUlngMIQkIUjXMUreyu3qn"
SECRET = "chNOOS4KvNXR_Xq4k4c9qsfoKWvnDecLATCRlcBwyKDYnWgO"
FILTERED = "/api/v1/instrument?filter=%7B%22symbol%22%3A+%22XBTM15%22%7D"
BODY = (PAYLOADS / "nautilus_credential_post_order.json").read_bytes().rstrip(b"\n")

VECTORS = {
    "official, no query": (
        (SECRET, "GET", "/api/v1/instrument", 1518064236, b""),
        "c7682d435d0cfe87c16098df34ef2eb5a549d4c5a3c2b1f0f77b8af73423bf00",
    ),
    "official, query as sent": (
        (SECRET, "GET", FILTERED, 1518064237, b""),
        "e2f422547eecb5b3cb29ade2127e21b858b235b386bfa45e1c1756eb3383919f",
    ),
    "official, body bytes": (
        (SECRET, "POST", "/api/v1/order", 1518064238, BODY),
        "1749cd2ccae4aa49048ae09f0b95110cee706e0944e6a14ad0b3a8cb45bd336b",
    ),
    "command line tool, GET": (
        ("secret", "GET", "/api/v1/order", 1518064236, b""),
        "05b241833763473e08eff9bc87f8850ae402c50daeccc7f3afdc998b4e937122",
    ),
    "command line tool, POST": (
        ("secret", "POST", "/api/v1/order", 1518064238, '{"symbol":"XBTUSD"}'),
        "37a90d9a89f8dc9d6e2edf88dc8609e8ee7810b9e3f42e66d2d41f83ab64b01e",
    ),
}


@pytest.mark.parametrize(("arguments", "expected"), VECTORS.values(), ids=VECTORS.keys())
def test_published_vectors(arguments, expected):
    assert signature(*arguments) == expected


def test_a_websocket_login_signs_realtime():
    assert realtime_signature(SECRET, 1518064236) == "6d459dc02866d35a2b965edeecc68063d488e296b77982235fc6eca24b934945"


def test_text_and_bytes_of_a_body_are_the_same():
    text = signature(SECRET, "POST", "/api/v1/order", 1518064238, BODY.decode())
    assert text == VECTORS["official, body bytes"][1]


def test_a_changed_body_changes_the_signature():
    spaced = BODY.replace(b":", b": ")
    assert signature(SECRET, "POST", "/api/v1/order", 1518064238, spaced) != VECTORS["official, body bytes"][1]


def test_headers_carry_key_expiry_and_signature():
    assert headers(KEY, SECRET, "get", "/api/v1/instrument", 1518064236) == {
        "api-key": KEY,
        "api-expires": "1518064236",
        "api-signature": VECTORS["official, no query"][1],
    }
