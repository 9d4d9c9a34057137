"""Names that the plugin and its simulator share."""

DEFAULT_TAPE = "bitmex-2019-05-29"
"""The tape that is played where nobody names one."""
