"""An S3 server, with users and policies."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import http.client
import json
import subprocess
import uuid
from collections.abc import Mapping
from pathlib import Path

from .programs import Server, Unavailable, program

ACCESS_KEY = "AKIATESTOFROOT"
SECRET_KEY = "secret/of+the/test+root"  # noqa: S105 - of a server on loopback
REGION = "us-east-1"


class S3Server(Server):
    """Versitygw on a loopback port: S3 on files, with the rules of access that S3 has.

    Args:
        home: a directory for its files.

    Attributes:
        port: where it listens; the same after a restart.
    """

    def __init__(self, home: Path) -> None:
        for name in ("buckets", "iam"):
            (home / name).mkdir()
        super().__init__(home)

    def url(self, bucket: str, *, port: int | None = None, region: str = REGION) -> str:
        endpoint = f"endpoint=127.0.0.1:{port or self.port}&disableSSL=true&s3ForcePathStyle=true"
        return f"s3://{bucket}/led%20ger/of-tests?region={region}&{endpoint}"

    @property
    def environment(self) -> dict[str, str]:
        """The credentials that it takes."""
        return {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}

    def bucket(self) -> str:
        """A new bucket's name."""
        name = f"bucket-{uuid.uuid4().hex[:12]}"
        self.ask("PUT", f"/{name}")
        return name

    def files(self, bucket: str) -> list[Path]:
        """What lies in a bucket."""
        return [file for file in (self._home / "buckets" / bucket).rglob("*") if file.is_file()]

    def user(self, access_key: str, secret_key: str) -> None:
        """Make a user who may do nothing yet."""
        url = f"http://127.0.0.1:{self.port}"
        admin = [program("s3", "versitygw"), "admin", "--access", ACCESS_KEY, "--secret", SECRET_KEY]
        user = ["create-user", "--access", access_key, "--secret", secret_key, "--role", "user"]
        subprocess.run([*admin, "--endpoint-url", url, *user], check=True, capture_output=True, cwd="/")

    def allow(self, bucket: str, access_key: str, *actions: str) -> None:
        """Let a user do these actions in a bucket, and no others."""
        of_bucket = [action for action in actions if action == "s3:ListBucket"]
        of_objects = [action for action in actions if action != "s3:ListBucket"]
        statements = [
            {
                "Effect": "Allow",
                "Principal": {"AWS": [access_key]},
                "Action": some,
                "Resource": f"arn:aws:s3:::{resource}",
            }
            for some, resource in ((of_bucket, bucket), (of_objects, f"{bucket}/*"))
            if some
        ]
        self.ask("PUT", f"/{bucket}?policy=", json.dumps({"Version": "2012-10-17", "Statement": statements}).encode())

    def ask(self, method: str, target: str, body: bytes = b"") -> None:
        """Make a request as the administrator."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = _signed(method, target, body, f"127.0.0.1:{self.port}", dt.datetime.now(dt.timezone.utc))
        connection.request(method, target, body, dict(headers))
        reply = connection.getresponse()
        said = reply.read()
        connection.close()
        if reply.status >= 300:
            raise Unavailable(f"{method} {target}: {reply.status} {said!r}")

    def _command(self, port: int) -> list[str]:
        root = [
            program("s3", "versitygw"),
            "--quiet",
            "--access",
            ACCESS_KEY,
            "--secret",
            SECRET_KEY,
            "--region",
            REGION,
        ]
        return [
            *root,
            "--port",
            f"127.0.0.1:{port}",
            "--iam-dir",
            str(self._home / "iam"),
            "posix",
            str(self._home / "buckets"),
        ]


def _signed(method: str, target: str, body: bytes, host: str, now: dt.datetime) -> Mapping[str, str]:
    """The headers of Signature Version 4, as AWS documents it."""
    stamp, scope = now.strftime("%Y%m%dT%H%M%SZ"), f"{now:%Y%m%d}/{REGION}/s3/aws4_request"
    digest = hashlib.sha256(body).hexdigest()
    headers = {"host": host, "x-amz-content-sha256": digest, "x-amz-date": stamp}
    path, _, query = target.partition("?")
    lines = [f"{name}:{value}\n" for name, value in headers.items()]
    canonical = "\n".join([method, path, query, "".join(lines), ";".join(headers), digest])
    text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{SECRET_KEY}".encode()
    for part in (*scope.split("/"), text):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    credential = f"Credential={ACCESS_KEY}/{scope}, SignedHeaders={';'.join(headers)}, Signature={key.hex()}"
    return {**headers, "Authorization": f"AWS4-HMAC-SHA256 {credential}"}
