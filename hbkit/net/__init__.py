"""Sockets and what surrounds them: the loop of virtual time, connections in memory, and the clients built on both."""
