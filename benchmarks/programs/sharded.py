"""A roster over another number of shards, and a reader for each user's key when readers are asked for."""

import json
import os
from pathlib import Path

from reader import Reader

import pulumi_openfunnel as openfunnel
from pulumi_openfunnel.program import roster, shards

for module in (roster, shards):
    module.SHARDS = int(os.environ["SHARDS"])  # type: ignore[attr-defined]
addresses = json.loads(Path("users.json").read_text())
team = openfunnel.ProvisionedUsers("team", emails=addresses)
if os.environ.get("READERS"):
    for address in addresses:
        Reader(f"reader-{address.partition('@')[0]}", team[address].api_key)
