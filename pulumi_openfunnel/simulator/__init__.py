"""A local OpenFunnel over real HTTP, for trying and testing without an account.

It serves what OpenFunnel documents, refuses what a real server would refuse, and leaves to options what the
documentation leaves open. It imports nothing else of the package: shared code would share its bugs.

    accounts = Accounts([Account("guy@orchestrator.com", "of_provisioner")])
    with serve(accounts, faults=Faults({1: Fault.RATE_LIMITED})) as base_url:
        ...  # a program that asks base_url, with that key and X-User-ID
    assert [user.email for user in accounts.users] == ["alice@orchestrator.com"]
"""

from .accounts import Account, Accounts, Existing, Ids, User
from .faults import Fault, Faults, WrongValue
from .record import Entry
from .server import serve

__all__ = ["Account", "Accounts", "Entry", "Existing", "Fault", "Faults", "Ids", "User", "WrongValue", "serve"]
