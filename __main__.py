"""The quickstart (examples/quickstart), where `pulumi up` is run at the root of a checkout."""

import runpy
from pathlib import Path

runpy.run_path(str(Path(__file__).parent / "examples" / "quickstart"), run_name="__main__")
