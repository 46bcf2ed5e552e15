"""The ledger's stores, on real servers."""
