"""FakeVenue of hbkit.testing behind HTTP and a WebSocket, and an exchange of ccxt's kind that speaks to it."""
