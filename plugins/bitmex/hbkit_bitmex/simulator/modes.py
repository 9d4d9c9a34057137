"""The modes of an account: one-way or hedge, and the margining mode that is only remembered (protocol 10.7, 13)."""

from __future__ import annotations

from typing import Any

from hbkit.model import PositionMode
from hbkit_bitmex.simulator import parameters as read
from hbkit_bitmex.simulator.accounts import VenueAccount
from hbkit_bitmex.simulator.parameters import Parameters
from hbkit_bitmex.simulator.refusals import bad_request, invalid
from hbkit_bitmex.simulator.venue import Venue

Row = dict[str, Any]
MODES = {"": PositionMode.ONE_WAY, "OneWay": PositionMode.ONE_WAY, "MultiWay": PositionMode.HEDGE}
MARGINING_MAX = 64


def set_position_mode(venue: Venue, account: VenueAccount, sent: Parameters) -> None:
    """POST /user/positionMode: `MultiWay` turns hedge mode on, the call without the field turns it off (13.1)."""
    word = read.text(sent, "positionMode")
    if word not in MODES:
        raise invalid("Invalid positionMode")
    refused = venue.clearing.switch_mode(account, MODES[word])
    if refused:
        raise invalid(refused)


def set_margining_mode(venue: Venue, account: VenueAccount, sent: Parameters) -> Row:
    """POST /user/marginingMode: the value is kept and echoed, and changes nothing (10.7)."""
    del venue
    wanted = read.text(sent, "selectedMarginingMode")
    if not wanted or len(wanted) > MARGINING_MAX:
        raise bad_request("selectedMarginingMode is invalid")
    account.margining_mode = wanted
    return margining_mode(account)


def margining_mode(account: VenueAccount) -> Row:
    """GET /user/marginingMode."""
    return {"account": account.number, "selectedMarginingMode": account.margining_mode or "REGULAR_MARGIN"}
