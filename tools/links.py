"""Every link of every page to another site: ``python -m tools.links``. Needs the internet, so a scheduled workflow runs it."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import httpx

from tests.docs.pages import HOME, all_pages

PLACEHOLDERS = ("http://127.0.0.1", "https://api.openfunnel.dev")
TIMEOUT = 20.0  # seconds


def main() -> int:
    """Look at each once; 1 when one leads nowhere."""
    targets = sorted({target for page in all_pages() for target in page.targets if target.startswith("http")})
    looked = [target for target in targets if not target.startswith((HOME, *PLACEHOLDERS))]
    with httpx.Client(follow_redirects=True, timeout=TIMEOUT) as client, ThreadPoolExecutor(8) as pool:
        wrong = [line for line in pool.map(lambda target: problem(client, target), looked) if line]
    print(*wrong, f"{len(looked)} links, {len(wrong)} lead nowhere.", sep="\n")
    return 1 if wrong else 0


def problem(client: httpx.Client, target: str) -> str | None:
    """What is wrong with a link; a site that lets no program in (403, 429) is there all the same."""
    try:
        status = client.get(target).status_code
    except httpx.HTTPError as error:
        return f"{target}: {error}"
    return f"{target}: {status}" if status >= 400 and status not in (403, 429) else None


if __name__ == "__main__":
    sys.exit(main())
