"""A stack without resources: what the Pulumi CLI and Python's start cost."""
