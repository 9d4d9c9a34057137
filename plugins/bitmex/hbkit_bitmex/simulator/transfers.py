"""Money in and out of an account over REST: addresses to pay in at, and withdrawals (protocol 4.7).

Addresses are made up; nobody watches them. A withdrawal is answered as pending and is complete at once: the exchange's
checks by hand and by mail have no place here.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from hbkit_bitmex.simulator import parameters as read
from hbkit_bitmex.simulator.accounts import VenueAccount
from hbkit_bitmex.simulator.parameters import Parameters
from hbkit_bitmex.simulator.reading import currency_codes
from hbkit_bitmex.simulator.refusals import bad_request, insufficient, invalid
from hbkit_bitmex.simulator.venue import Venue

Row = dict[str, Any]
MADE_UP = "simulator"


def deposit_address(venue: Venue, account: VenueAccount, sent: Parameters) -> str:
    """One text, as clients expect it: always the same for an account, a currency and a network."""
    code, network = _where(venue, sent)
    digest = sha256(f"{account.number}/{code}/{network}".encode()).hexdigest()
    return f"{MADE_UP}-{network}-{digest[:32]}"


def deposit_address_information(venue: Venue, account: VenueAccount, sent: Parameters) -> Row:
    """The same as an object."""
    return {"address": deposit_address(venue, account, sent)}


def request_withdrawal(venue: Venue, account: VenueAccount, sent: Parameters) -> Row:
    """Money goes to an address, and the network's fee with it, from what is free."""
    code, network = _where(venue, sent)
    refusal = bad_request("Invalid amount")
    amount = read.integer(sent, "amount", refusal)
    fee = read.integer(sent, "fee", bad_request("Invalid fee"))
    if amount is None or amount <= 0:
        raise refusal
    if fee is None:
        fee = _network(venue, code, network).get("withdrawalFee", 0)
    if fee < 0:
        raise bad_request("Invalid fee")
    address = next((text for name in ("address", "addressId", "targetUserId") if (text := read.text(sent, name))), "")
    if not address:
        raise bad_request("Invalid address")
    if amount + fee > venue.margin(account, code)["withdrawableMargin"]:
        raise insufficient(amount + fee, venue.minor[code])
    venue.clearing.pay_out(account, code, amount, fee)
    row = account.transactions[-1]
    row |= {"network": network, "address": address, "text": read.text(sent, "text")}
    return {**row, "transactStatus": "Pending"}


def _where(venue: Venue, sent: Parameters) -> tuple[str, str]:
    """Currency (its major code) and network, both required and of each other."""
    refusal = invalid("Invalid currency")
    if not read.text(sent, "currency") or not read.text(sent, "network"):
        raise refusal
    codes, several = currency_codes(venue, sent)
    network = read.text(sent, "network").lower()
    if several or not _network(venue, codes[0], network):
        raise refusal
    return codes[0], network


def _network(venue: Venue, code: str, name: str) -> Row:
    """The network of an asset, nothing where it has none of that name."""
    asset = next(row for row in venue.asset_rows if row["majorCurrency"] == code)
    found: Row = next((network for network in asset.get("networks", ()) if network["asset"] == name), {})
    return found
