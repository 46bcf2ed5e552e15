"""The floor: one httpx client, 32 threads, nothing kept. Internal emails come in on lines, answers go out on lines."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor

import httpx

with (
    httpx.Client(
        base_url=os.environ["OPENFUNNEL_BASE_URL"],
        headers={"X-API-Key": os.environ["OPENFUNNEL_API_KEY"], "X-User-ID": os.environ["OPENFUNNEL_USER_ID"]},
        timeout=60,
        trust_env=False,
    ) as client,
    ThreadPoolExecutor(32) as pool,
):

    def create(email: str) -> str:
        return client.post("/api/v1/admin/create-user", json={"email": email}).raise_for_status().text

    for answer in pool.map(create, sys.stdin.read().split()):
        print(answer)
