"""One ProvisionedUser a user."""

import json
from pathlib import Path

import pulumi_openfunnel as openfunnel

for address in json.loads(Path("users.json").read_text()):
    openfunnel.ProvisionedUser(address.partition("@")[0], email=address)
