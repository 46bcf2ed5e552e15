"""A provider process that is configured for the simulator."""

from __future__ import annotations

import pytest

from ..provider_process import Provider, Start
from ..servers import ORCHESTRATOR, PROVISIONER_KEY


@pytest.fixture
def provider(start: Start, api: str) -> Provider:
    """A provider process that is configured for the simulator."""
    running = start()
    running.configure(userId=ORCHESTRATOR, apiKey=PROVISIONER_KEY, baseUrl=api)
    return running
