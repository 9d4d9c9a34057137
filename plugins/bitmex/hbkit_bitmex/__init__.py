"""BitMEX for hbkit: what the venue was, what could be traded there, and recorded tapes to replay.

hbkit finds `hbkit_bitmex.plugin` through its entry points; nothing here is loaded before a config names the exchange.
"""
