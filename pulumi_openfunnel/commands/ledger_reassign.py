"""``ledger reassign OLD NEW``: a customer's address changed; its users and keys stay."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from dataclasses import dataclass, field

from .. import emails, wording
from ..ledger.documents import User, answer_name
from ..ledger.rules import Ledger
from ..ledger.sealing import Seal
from ..ledger.turns import opened
from ..ledger.upkeep import Outcome, reassign
from ..places import FilePlace, Place
from . import terminal
from .ledger_keys import OLD_KEY, SET_KEY, Keys, keys_in
from .ledger_place import FROM_CONFIG, action_on_ledger, command


def add_to(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the action to the command's."""
    parser = actions.add_parser(
        "reassign",
        help="a customer's address changed: its users and keys stay",
        description="The users of one end user's address become those of another address of the same end user. Each keeps its "
        "internal email and its key, which the next pulumi up hands over without a request. Only for the same customer: "
        "another one would get the first one's key. The key that the answers are sealed under must be at hand.",
        epilog=terminal.STATUSES,
        allow_abbrev=False,
    )
    parser.add_argument("old", metavar="OLD", help="the end user's address before; not an internal email")
    parser.add_argument("new", metavar="NEW", help="the end user's address from now on")
    action_on_ledger(parser, _reassign)


@dataclass(frozen=True)
class _Found:
    """What the ledger knows of two addresses.

    Attributes:
        of_old: the users of the old one.
        of_new: those of the new one.
        near: what may have been meant, one sentence each.
    """

    of_old: list[User] = field(default_factory=list)
    of_new: list[User] = field(default_factory=list)
    near: list[str] = field(default_factory=list)


def _reassign(ledger: Ledger, place: Place, args: argparse.Namespace) -> int:
    old, new, keys = str(emails.parse(args.old)), str(emails.parse(args.new)), keys_in(os.environ)
    if old == new:
        terminal.complain(f"{old} and {new} are the same address. Nothing was changed.")
        return terminal.NOT_DONE
    if not keys.all:
        terminal.complain(f"No key is set, and what is kept has to be sealed anew for {new}. {SET_KEY}")
        return terminal.USAGE
    ledger.begun()
    found = _look(ledger, old, new)
    if not found.of_old:
        terminal.complain(_nobody(found, place, old, new))
        return terminal.NOT_DONE
    refusals = [line for user in found.of_old for line in _refusals(ledger, user, keys, command(args.ledger))]
    for line in refusals:
        terminal.complain(f"{line} Nothing was changed.")
    return terminal.NOT_DONE if refusals else _done(ledger, found, new, keys)


def _look(ledger: Ledger, old: str, new: str) -> _Found:
    found = _Found()
    for names in ledger.archive.chunks("users/"):
        users, problems = ledger.archive.read_sound(User, names)
        found.near.extend(problems)
        for seen in users.values():
            user = seen.document
            if user.binds and user.email in (old, new):
                (found.of_old if user.email == old else found.of_new).append(user)
            found.near.extend(_nearly(user, old, new))
    return found


def _nearly(user: User, old: str, new: str) -> Iterator[str]:
    """What may have been meant instead of a user's address."""
    if user.email == old:
        if not user.binds:
            yield f"{user.internal_email} was refused for {old}, so {new} can be declared as it is."
    elif user.internal_email == old:
        yield f"{old} is an internal email. Give the end user's address, {user.email}."
    elif any(attempt.email == old for attempt in user.attempts):
        yield f"{user.internal_email} was its user and is the one of {user.email} now."


def _nobody(found: _Found, place: Place, old: str, new: str) -> str:
    """Why there is nothing to reassign."""
    sentences = [f"No user in the ledger {place} has the address {old}. Nothing was changed.", *found.near]
    if found.of_new:
        sentences.append(f"{new} has {wording.names([user.internal_email for user in found.of_new])}.")
    if isinstance(place, FilePlace) and place.default:
        sentences.append(f"For the ledger that a stack's config names: {FROM_CONFIG}.")
    return wording.sentences(sentences)


def _refusals(ledger: Ledger, user: User, keys: Keys, shown: str) -> Iterator[str]:
    """Why a user cannot go over to another address; nothing is changed before each of a customer's can."""
    if ledger.at_it(user) is not None:
        yield f"{user.internal_email}: another run is creating this user. Wait until it ends; one that was killed has ended after a minute."
        return
    known, kept = {seal.key_id for seal in keys.all}, ledger.answers(user)
    for attempt in user.usable:
        answer = kept.get(answer_name(attempt.answer))
        if answer is None or opened(answer, user.identity(attempt), keys.all) is not None:
            continue
        if answer.key_id in known:
            yield (
                f"{user.internal_email}: its answer in the ledger was changed after it was sealed, so it does not open. Restore "
                "the ledger from a backup, or pass the user's key as existing_api_key."
            )
        else:
            yield (
                f"{user.internal_email}: its key is sealed under a key that is not at hand. Set {OLD_KEY} to that key, or run "
                f"with it: {shown} rekey."
            )
        return


def _done(ledger: Ledger, found: _Found, new: str, keys: Keys) -> int:
    """Reassign, user by user, so that each one's outcome is known."""
    status = terminal.DONE
    for user in found.of_old:
        if reassign(ledger, user, new, _seal(ledger, user, keys), keys.all) is Outcome.DONE:
            terminal.show(
                [f"{user.internal_email}: {user.email} became {new}; the user and its key stay.{_hint(user, new)}"]
            )
        else:
            status = terminal.NOT_DONE
            terminal.complain(
                f"{user.internal_email}: not changed, because another run has just begun with it. Run it again."
            )
    if status == terminal.DONE:
        terminal.show([f"Declare {new} and run pulumi up: a key that is kept here comes without a request."])
    return status


def _seal(ledger: Ledger, user: User, keys: Keys) -> Seal:
    """What to seal a user's answers under: as they are, if pulumi up has that key."""
    sealed_under = {answer.key_id for answer in ledger.answers(user).values()}
    return next((seal for seal in keys.at_hand if seal.key_id in sealed_under), keys.all[0])


def _hint(user: User, new: str) -> str:
    """How the new address keeps the internal email, where it does not by itself."""
    local, _, domain = user.internal_email.rpartition("@")
    mapped = {emails.spelled(new, domain, email_mapping=mapping) for mapping in emails.EMAIL_MAPPINGS}
    return "" if user.internal_email in mapped else f' Declare it with prefix="{local}".'
