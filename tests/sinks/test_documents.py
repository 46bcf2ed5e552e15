"""A roster's keys in documents that AWS Secrets Manager takes."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from .programs import Ended, Programs, Run

VERSION = "aws:secretsmanager/secretVersion:SecretVersion"
LIMIT = 65_536  # bytes


def _run(programs: Programs, path: Path, customers: Mapping[str, str]) -> Run:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("id", "email"), *customers.items()])
    return programs.run("aws-secrets-manager", selfService=str(path))


def _documents(run: Run) -> dict[str, str]:
    return {name: found.inputs["secretString"]["value"] for name, found in run.of(VERSION).items()}


def test_a_thousand_members(programs: Programs, tmp_path: Path) -> None:
    """Each member's key in one document, by its id; each document a secret that AWS takes. A newcomer changes one alone."""
    customers = {f"cust {n}/ü": f"user{n}@customers.com" for n in range(1000)}
    before = _run(programs, tmp_path / "before.csv", customers)
    documents = _documents(before)
    assert max(len(document.encode()) for document in documents.values()) < LIMIT
    keys = {id_: key for document in documents.values() for id_, key in json.loads(document).items()}
    assert keys == {id_: before.keys[f"user{n}@orchestrator.com"] for n, id_ in enumerate(customers)}
    assert sum(len(json.loads(document)) for document in documents.values()) == 1000

    after = _run(programs, tmp_path / "after.csv", {"newcomer": "new@customers.com"} | customers)
    [changed] = after.changed(before, VERSION)
    assert json.loads(_documents(after)[changed]).keys() - json.loads(documents[changed]).keys() == {"newcomer"}


def test_a_member_that_leaves_changes_one_document(programs: Programs, tmp_path: Path) -> None:
    """The others keep theirs; one that nobody is left in goes."""
    customers = {f"cust-{n}": f"user{n}@customers.com" for n in range(40)}
    before = _run(programs, tmp_path / "before.csv", customers)
    after = _run(programs, tmp_path / "after.csv", {id_: customers[id_] for id_ in list(customers)[1:]})
    [changed] = after.changed(before, VERSION)
    assert "cust-0" in json.loads(_documents(before)[changed])
    assert "cust-0" not in json.loads(_documents(after).get(changed, "{}"))


def test_a_document_that_aws_would_refuse_fails_the_program(programs: Programs, tmp_path: Path) -> None:
    """It says which, how large, and what to do."""
    customers = {f"{n}{'x' * 6000}": f"user{n}@customers.com" for n in range(400)}
    with pytest.raises(Ended, match=r"document \d+ has \d+ bytes, of at most 65536. Raise DOCUMENTS\."):
        _run(programs, tmp_path / "customers.csv", customers)
