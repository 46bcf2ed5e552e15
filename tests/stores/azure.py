"""Microsoft's emulator of Azure Blob Storage."""

from __future__ import annotations

import base64
import email.utils
import hashlib
import hmac
import http.client
import uuid

from harness.servers.programs import Server, program

ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="  # the emulator's own, documented


class AzureServer(Server):
    """Azurite on a loopback port.

    Args:
        home: a directory for its files.

    Attributes:
        port: where it listens; the same after a restart.
    """

    def url(self, container: str, *, port: int | None = None) -> str:
        where = f"storage_account={ACCOUNT}&domain=127.0.0.1:{port or self.port}&protocol=http"
        return f"azblob://{container}/ledger/of-tests?{where}"

    def container(self) -> str:
        """A new container's name."""
        name = f"container-{uuid.uuid4().hex[:12]}"
        date = email.utils.formatdate(usegmt=True)
        signed = f"x-ms-date:{date}\nx-ms-version:2021-12-02\n/{ACCOUNT}/{ACCOUNT}/{name}\nrestype:container"
        text = "PUT" + "\n" * 12 + signed
        signature = hmac.new(base64.b64decode(KEY), text.encode(), hashlib.sha256).digest()
        headers = {
            "x-ms-date": date,
            "x-ms-version": "2021-12-02",
            "Authorization": f"SharedKey {ACCOUNT}:{base64.b64encode(signature).decode()}",
            "Content-Length": "0",
        }
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("PUT", f"/{ACCOUNT}/{name}?restype=container", headers=headers)
        reply = connection.getresponse()
        said = reply.read()
        connection.close()
        assert reply.status == 201, said
        return name

    def _command(self, port: int) -> list[str]:
        place = ["--location", str(self._home), "--blobHost", "127.0.0.1", "--blobPort", str(port)]
        return [program("azure", "azurite-blob"), "--silent", "--skipApiVersionCheck", "--disableTelemetry", *place]
