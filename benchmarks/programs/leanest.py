"""The leanest dynamic provider: by reference, one client, one secret output."""

import json
from pathlib import Path

from leanest_provider import User

for address in json.loads(Path("users.json").read_text()):
    prefix = address.partition("@")[0]
    User(prefix, f"{prefix}@orchestrator.com")
