"""``python -m pulumi_openfunnel simulator``."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pulumi_openfunnel.__main__ import main
from pulumi_openfunnel.simulator import Fault

from ..servers import ORCHESTRATOR, PROVISIONER_KEY
from .simulated import asked, balance, create, wait_for

PLAIN = "pat@orchestrator.com"
PLAIN_KEY = "of_plain_0123456789"


class TestServing:
    """A server that runs until it is told to stop."""

    def test_it_serves_until_it_is_stopped(self, tmp_path: Path) -> None:
        """It prints its base URL, logs method, path and status without keys, and exits with 0 on SIGTERM."""
        data = tmp_path / "users.json"
        arguments = ["--port", "0", "--log", "--orchestrator", f"{ORCHESTRATOR}={PROVISIONER_KEY}"]
        arguments += ["--account", f"{PLAIN}={PLAIN_KEY}", "--ids", "string", "--credits", "5", "--data", str(data)]
        with subprocess.Popen(
            [sys.executable, "-m", "pulumi_openfunnel", "simulator", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        ) as process:
            try:
                assert process.stdout is not None
                base_url = process.stdout.readline().strip()
                created = create(base_url)
                key = created.json()["api_key"]
                left = balance(base_url, key).json()["credits_left"]
                refused = create(base_url, **{"X-API-Key": PLAIN_KEY, "X-User-ID": PLAIN})
                process.send_signal(signal.SIGTERM)
                out, log = process.communicate(timeout=30)
            finally:
                process.kill()
        assert (created.json()["id"], left, refused.status_code) == ("usr_000001", 5, 403)
        assert log.splitlines() == [
            "POST /api/v1/admin/create-user -> 200",
            "GET /api/v1/credits/balance -> 200",
            "POST /api/v1/admin/create-user -> 403",
        ]
        assert out == ""
        assert all(secret not in out + log for secret in (key, PROVISIONER_KEY, PLAIN_KEY))
        assert key in data.read_text()
        assert process.returncode == 0

    @pytest.mark.parametrize("option", ["--orchestrator", "--account"])
    @pytest.mark.parametrize("value", [PROVISIONER_KEY, f"guy={PROVISIONER_KEY}", ORCHESTRATOR, f"{ORCHESTRATOR}=", ""])
    def test_a_wrong_account_is_one_line(self, capsys: pytest.CaptureFixture[str], option: str, value: str) -> None:
        """An account that is not EMAIL=KEY is refused in one line that does not repeat it, with status 1."""
        assert main(["simulator", "--port", "0", f"{option}={value}"]) == 1
        out, err = capsys.readouterr()
        assert out == ""
        assert err == ("simulator: an account is given as EMAIL=KEY, such as guy@orchestrator.com=of_simulator\n")

    def test_a_port_that_is_taken_is_one_line(self, capsys: pytest.CaptureFixture[str], api: str) -> None:
        """A port that somebody else has is said in one line, with status 1."""
        assert main(["simulator", "--port", api.rpartition(":")[2]]) == 1
        out, err = capsys.readouterr()
        assert out == ""
        assert re.fullmatch(r"simulator: .*in use.*\n", err)

    @pytest.mark.parametrize(
        ("second", "said"),
        [
            (f"--account={ORCHESTRATOR.upper()}=of_another", f"{ORCHESTRATOR.upper()} is the address of two accounts"),
            (f"--orchestrator={PLAIN}={PROVISIONER_KEY}", f"{ORCHESTRATOR} and {PLAIN} have one key"),
        ],
    )
    def test_two_accounts_that_are_one_are_one_line(
        self, capsys: pytest.CaptureFixture[str], second: str, said: str
    ) -> None:
        """An address or a key that is given twice is refused in one line without a key, with status 1."""
        assert main(["simulator", "--port", "0", f"--orchestrator={ORCHESTRATOR}={PROVISIONER_KEY}", second]) == 1
        assert capsys.readouterr() == ("", f"simulator: {said}\n")

    @pytest.mark.parametrize("content", ["KEY", "[]", '{"id": 1}', "3"])
    def test_a_data_file_of_something_else_is_one_line(
        self, capsys: pytest.CaptureFixture[str], tmp_path: Path, content: str
    ) -> None:
        """A data file that cannot be read is said in one line that holds nothing of it, with status 1."""
        data = tmp_path / "users.json"
        data.write_text(content.replace("KEY", PROVISIONER_KEY))
        assert main(["simulator", "--port", "0", "--data", str(data)]) == 1
        assert capsys.readouterr().err == f"simulator: {data} holds no users of a simulator\n"


class TestFlags:
    """What else it can be told."""

    def test_faults_and_record_are_asked_for_by_flags(self, tmp_path: Path) -> None:
        """Script, seed, seconds and record do what they say; a killed simulator's record is complete."""
        file = tmp_path / "record.jsonl"
        flags = ["--port", "0", "--orchestrator", f"{ORCHESTRATOR}={PROVISIONER_KEY}", "--record", str(file)]
        flags += ["--fault", "1=429", "--fault", "2=500-after", "--retry-after", "0.25", "--latency", "0.01"]
        flags += ["--fault-seed", "9", "--fault-rate", "1", "--fault-kinds", "hold", "--hold", "60", "--log"]
        with subprocess.Popen(
            [sys.executable, "-m", "pulumi_openfunnel", "simulator", *flags],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        ) as process:
            try:
                assert process.stdout is not None
                base_url = process.stdout.readline().strip()
                limited, failed = (create(base_url) for _ in range(2))
                with asked(base_url):
                    wait_for(lambda: file.read_text().count("\n") == 3)
                    process.send_signal(signal.SIGKILL)
                    out, log = process.communicate(timeout=30)
            finally:
                process.kill()
        assert limited.json()["details"] == {"retry_after_seconds": 0.25}
        assert failed.status_code == 500
        rows = [json.loads(line) for line in file.read_text().splitlines()]
        assert [(row["fault"], row["status"], row["done"]) for row in rows] == [
            ("429", 429, False),
            ("500-after", 500, True),
            ("hold", 409, False),
        ]
        assert rows[1]["key"].startswith("of_")
        assert "of_" not in out + log

    def test_a_held_answer_does_not_keep_it_alive(self) -> None:
        """SIGTERM ends it with 0, promptly and without a word, while an answer is held back."""
        flags = ["--port", "0", "--orchestrator", f"{ORCHESTRATOR}={PROVISIONER_KEY}", "--fault", "1=hold"]
        with subprocess.Popen(
            [sys.executable, "-m", "pulumi_openfunnel", "simulator", *flags, "--hold", "60"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        ) as process:
            try:
                assert process.stdout is not None
                base_url = process.stdout.readline().strip()
                with asked(base_url):
                    balance(base_url, PROVISIONER_KEY)
                    process.send_signal(signal.SIGTERM)
                    assert process.communicate(timeout=10) == ("", "")
            finally:
                process.kill()
        assert process.returncode == 0

    @pytest.mark.parametrize(
        ("flags", "said"),
        [
            (["--fault", "429"], r"N=KIND"),
            (["--fault", "0=429"], r"counted from 1"),
            (["--fault", "x=429"], r"N=KIND"),
            (["--fault", "1=teapot"], r"kinds of faults are 429, .*, hold"),
            (["--fault", "1=429", "--fault", "1=500"], r"request 1 two faults"),
            (["--fault-seed", "1"], r"belong together"),
            (["--fault-rate", "0.5"], r"belong together"),
            (["--fault-seed", "x", "--fault-rate", "0.5"], r"--fault-seed is a whole number"),
            (["--fault-seed", "1", "--fault-rate", "1.5"], r"--fault-rate is a number from 0 to 1"),
            (["--fault-seed", "1", "--fault-rate", "nan"], r"--fault-rate is a number from 0 to 1"),
            (["--fault-seed", "1", "--fault-rate", "1", "--fault-kinds", ""], r"kinds of faults are"),
            (["--fault-kinds", "429"], r"--fault-kinds needs"),
            (["--hold", "-1"], r"--hold is a number from 0"),
            (["--retry-after", "soon"], r"--retry-after is a number from 0"),
            (["--latency", "inf"], r"--latency is a number from 0"),
            (["--record", "/nowhere/record.jsonl"], r"No such file or directory"),
        ],
    )
    def test_a_wrong_value_is_one_line(self, capsys: pytest.CaptureFixture[str], flags: list[str], said: str) -> None:
        """A wrong value is said in one line, with status 1."""
        assert main(["simulator", "--port", "0", *flags]) == 1
        out, err = capsys.readouterr()
        assert out == ""
        assert re.fullmatch(rf"simulator: .*{said}.*\n", err)

    def test_the_help_names_every_kind(self, capsys: pytest.CaptureFixture[str]) -> None:
        """What --fault takes, and what each does, can be read in the help."""
        with pytest.raises(SystemExit):
            main(["simulator", "--help"])
        lines = capsys.readouterr().out.splitlines()
        assert [fault for fault in Fault if f"  {fault.value:<12}{fault.meaning}" not in lines] == []
        assert all(fault.meaning for fault in Fault)
