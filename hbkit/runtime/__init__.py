"""Running: events to book-keeping to callbacks, in replay and live."""
