"""One ProvisionedUsers for all users."""

import json
from pathlib import Path

import pulumi_openfunnel as openfunnel

openfunnel.ProvisionedUsers("team", emails=json.loads(Path("users.json").read_text()))
