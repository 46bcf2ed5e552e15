"""A roster over another number of shards (sitecustomize.py), and a reader for each key when readers are asked for."""

import json
import os
from pathlib import Path

from reader import Reader

import pulumi_openfunnel as openfunnel

addresses = json.loads(Path("users.json").read_text())
team = openfunnel.ProvisionedUsers("team", emails=addresses)
if os.environ.get("READERS"):
    for address in addresses:
        Reader(f"reader-{address.partition('@')[0]}", team[address].api_key)
