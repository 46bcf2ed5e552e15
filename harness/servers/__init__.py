"""The servers that a ledger may lie on, as processes on loopback ports, and proxies that stand before them."""
