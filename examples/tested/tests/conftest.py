"""What the tests share: the program's folder, and the fixture ``openfunnel_api``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

pytest_plugins = ["pulumi_openfunnel.testing"]
