"""The leanest dynamic provider that keeps what a ProvisionedUser keeps."""

import json
from pathlib import Path

from same_openfunnel_provider import ProvisionedUser

for address in json.loads(Path("users.json").read_text()):
    ProvisionedUser(address.partition("@")[0], address)
