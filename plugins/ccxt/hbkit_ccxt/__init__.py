"""The exchanges of ccxt for hbkit: `plugin: ccxt:<id>`.

hbkit finds `hbkit_ccxt.plugin` through its entry point. Nothing here is loaded before a config names such an exchange,
and ccxt itself not before one of its exchanges is looked at.
"""
