"""Fills the generated parts of the pages in docs/: tables and diagrams between `<!-- generated: NAME -->` and
`<!-- end -->`; --check only tells whether they are fresh (exit 1 when not). docs_tables makes the parts.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"

for folder in ("clients/python", "control", "proxy", ""):
    sys.path.insert(0, str(ROOT / folder))

from scripts.docs_tables import admission, attempts, breaker, limits_control, limits_proxy, record, upstream  # noqa: E402 - the paths come first

_REGION: Final = re.compile(r"<!-- generated: ([a-z-]+) -->\n(.*?)<!-- end -->", re.DOTALL)

REGIONS: Final[dict[str, Callable[[], str]]] = {
    "access-log": record.access_log,
    "breaker-diagram": breaker.breaker_diagram,
    "breaker-signals": breaker.breaker_signals,
    "breaker-defaults": breaker.breaker_defaults,
    "retry-defaults": attempts.retry_defaults,
    "retry-presets": attempts.retry_presets,
    "hedge-defaults": attempts.hedge_defaults,
    "limit-defaults": admission.limit_defaults,
    "rate-limit-defaults": admission.rate_limit_defaults,
    "cluster-defaults": upstream.cluster_defaults,
    "health-check-defaults": upstream.health_check_defaults,
    "outlier-defaults": upstream.outlier_defaults,
    "slow-start-defaults": upstream.slow_start_defaults,
    "dns-defaults": upstream.dns_defaults,
    "connection-backoff": upstream.connection_backoff,
    "severities": record.severities,
    "categories": record.categories,
    "limits-client": limits_proxy.limits_client,
    "limits-call": limits_proxy.limits_call,
    "limits-events": limits_proxy.limits_events,
    "limits-control": limits_control.limits_control,
    "limits-policy": limits_proxy.limits_policy,
    "limits-process": limits_proxy.limits_process,
}


def filled(text: str) -> str:
    """Return a page with its generated parts made anew."""

    def fill(match: re.Match[str]) -> str:
        name = match.group(1)
        return f"<!-- generated: {name} -->\n{REGIONS[name]()}<!-- end -->"

    return _REGION.sub(fill, text)


def main() -> int:
    """Fill the pages, or check them."""
    check = "--check" in sys.argv[1:]
    stale = 0
    for page in sorted(DOCS.rglob("*.md")):
        text = page.read_text("utf-8")
        fresh = filled(text)
        if fresh == text:
            continue
        if check:
            print(
                f"{page.relative_to(ROOT)} is not fresh; run: python scripts/gen_docs_tables.py",
                file=sys.stderr,
            )
            stale = 1
        else:
            page.write_text(fresh, "utf-8")
            print(f"filled {page.relative_to(ROOT)}")
    return stale


if __name__ == "__main__":
    sys.exit(main())
