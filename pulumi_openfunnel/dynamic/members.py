"""The engine's verbs onto the members of a roster: who they are, and which shard holds whom. No key is held here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pulumi import contains_unknowns
from pulumi.dynamic import CheckFailure, CheckResult, CreateResult, DiffResult, ReadResult, UpdateResult
from pulumi.output import UNKNOWN

from ..errors import AnotherEndUser, InvalidInput, OpenFunnelError
from ..provisioning.changes import Changes, changes, check_removals, sentence
from ..provisioning.declared import Declared, check_takeovers, declared
from ..provisioning.keys import EndUser
from ..provisioning.placement import Member, match, place
from ..provisioning.session import Session
from ..schema import MEMBERS_INPUTS, PLACED, dump, load, pick
from .envelope import secrets
from .process import Verbs
from .shard_state import members_of

_GIVEN = tuple(name for name in MEMBERS_INPUTS if name != PLACED)
_KNOWN = ("emails", "prefixes", "aliases", "email_mapping", "orchestrator", "max_removals")


class MembersVerbs(Verbs):
    """Each verb of a roster's members.

    Args:
        session: the operation.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def check(self, olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Check every address, place every member, refuse what must not be; say what changes."""
        inputs = pick(news, _GIVEN)
        if any(contains_unknowns(inputs.get(name)) for name in _KNOWN):
            return CheckResult(inputs | {PLACED: UNKNOWN}, [])
        try:
            placed = self._placed(olds, inputs)
        except OpenFunnelError as error:
            return CheckResult({}, [CheckFailure("", str(error))])
        inputs[PLACED] = placed
        return CheckResult(secrets(inputs, "emails", "prefixes", PLACED) if inputs.get("secret") else inputs, [])

    def diff(self, id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:  # noqa: ARG002 - the engine's
        """Whether anybody comes, goes or moves. Nothing is ever replaced."""
        changed = contains_unknowns(news.get(PLACED)) or news.get(PLACED) != olds.get(PLACED)
        return DiffResult(changes=changed, replaces=[], delete_before_replace=False)

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Nothing to call: the shards take their members from what check computed."""
        return CreateResult(props["roster"], _outputs(props))

    def read(self, id: str, props: dict[str, Any]) -> ReadResult:
        """Nothing to look at."""
        return ReadResult(id, _outputs(props))

    def update(self, id: str, olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:  # noqa: ARG002 - the engine's
        """As create."""
        return UpdateResult(_outputs(news))

    def delete(self, id: str, props: dict[str, Any]) -> None:
        """Nothing to release: the keys are the shards'."""

    def _placed(self, olds: dict[str, Any], inputs: dict[str, Any]) -> str | None:
        """The document of each member and its shard: the old one, without a look at each, when nothing changed."""
        domain = self._session.caller(inputs.get("orchestrator")).settings.domain
        before = _placed_of(olds)
        same = inputs == pick(olds, _GIVEN) and all(
            old["internal_email"].endswith(f"@{domain}") for old in before.values()
        )
        if same and before and self._session.memory.keeps(olds[PLACED]):
            return str(olds[PLACED])
        return dump(self._placed_anew(before, inputs, domain))

    def _placed_anew(
        self, olds: dict[str, dict[str, Any]], inputs: dict[str, Any], domain: str
    ) -> dict[str, dict[str, Any]]:
        """By id, each member and its shard."""
        before = members_of(olds)
        found = declared(_plain(inputs), domain, before)
        same = match(before, found.members)
        secret = bool(inputs.get("secret"))
        check_takeovers(found, before, same)
        self._remember(before, found, same)
        open_ = found.may_be_late(before, same)
        changed = changes(before, found.members, same, late=len(found.late), may_be_late=open_)
        self._review(inputs, found, changed, secret=secret)
        shards = {id_: int(old["shard"]) for id_, old in olds.items()}
        placed = {id_: _entry(member, place(shards, same, id_)) for id_, member in found.members.items()}
        return {id_: olds[id_] for id_ in open_} | placed

    def _remember(self, before: Mapping[str, Member], found: Declared, same: Mapping[str, str]) -> None:
        """What the engine shows of the stack's users, for everybody else's checks.

        Raises:
            AnotherEndUser: when another resource's end user has one of these users.
        """
        memory = self._session.memory
        for old in before.values():
            memory.stood_for(EndUser(old.email, old.internal_email))
        for id_, new in found.members.items():
            user = EndUser(new.email, new.internal_email)
            if id_ in same and before[same[id_]].internal_email == new.internal_email:
                memory.moves(new.internal_email, before[same[id_]].email, new.email)
            try:
                memory.declare(user)
            except AnotherEndUser as error:
                if found.secret:
                    error.call_user(found.names[id_])
                raise

    def _review(self, inputs: dict[str, Any], found: Declared, changed: Changes, *, secret: bool) -> None:
        """Refuse removals that are not meant; say what changes."""
        roster = inputs["roster"]
        names = [found.name_of_old(id_, old) for id_, old in sorted(changed.removed.items())]
        protect = bool(inputs.get("protected"))
        check_removals(roster, changed, names, most=_most(inputs), protect=protect)
        if not changed.is_none:
            ledger = self._session.ledger_place() is not None
            self._session.operation.info(None, sentence(roster, changed, ledger=ledger, secret=secret))


def _plain(inputs: dict[str, Any]) -> dict[str, Any]:
    """The inputs with the documents' values, and without the addresses that are not known."""
    late = inputs.get("late_emails") or {}
    known = {} if contains_unknowns(late) and not isinstance(late, Mapping) else late
    return {
        name: load(value) if name in ("emails", "prefixes", "aliases") else value for name, value in inputs.items()
    } | {"late_emails": {key: None if contains_unknowns(email) else email for key, email in known.items()}}


def _most(inputs: dict[str, Any]) -> int | None:
    """``max_removals``, as a whole number; None when it is not given.

    Raises:
        InvalidInput: when it is something else.
    """
    most = inputs.get("max_removals")
    if most is None:
        return None
    if isinstance(most, float | int) and not isinstance(most, bool) and float(most).is_integer() and most >= 0:
        return int(most)
    raise InvalidInput("max_removals", f"{inputs['roster']}: max_removals is not a number of users.")


def _placed_of(olds: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = load(olds.get(PLACED)) or {}
    return found


def _entry(member: Member, shard: int) -> dict[str, Any]:
    entry: dict[str, Any] = {"email": member.email, "internal_email": member.internal_email, "shard": shard}
    return entry if member.alias is None else entry | {"alias": member.alias}


def _outputs(props: dict[str, Any]) -> dict[str, Any]:
    outs = pick(props, ("roster", "secret", PLACED))
    return secrets(outs, PLACED) if props.get("secret") else outs
