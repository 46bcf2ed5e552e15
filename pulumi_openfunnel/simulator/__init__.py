"""A local OpenFunnel over real HTTP, for trying and testing without an account.

It serves what OpenFunnel documents, refuses what a real server would refuse, and leaves to options what the
documentation leaves open. It imports nothing else of the package: shared code would share its bugs.
"""

from .accounts import Account, Accounts, Existing, Ids
from .faults import Fault, Faults
from .record import Entry
from .server import serve

__all__ = ["Account", "Accounts", "Entry", "Existing", "Fault", "Faults", "Ids", "serve"]
