"""Each code can be provoked by a file, says what it is about, and stands in the reference."""

from __future__ import annotations

from pathlib import Path

import pytest

from seawall_policy.compile import codes
from seawall_policy.descriptors import DescriptorSource
from seawall_proxy.config import lint_file
from tests.unit.compile.samples import BASE, shop_descriptors

REFERENCE = Path(__file__).parents[3] / "docs" / "reference"
TAIL = "\nroutes: [{name: r, cluster: shop}, {name: s, match: {service: s}, cluster: backup}]\n"
CHECKOUT = "match: {service: shop.v1.Checkout, method: %s}, cluster: shop, policy: p"


def policy(settings: str) -> str:
    """Return a file whose first route uses a policy with these settings."""
    return f"{BASE}policies: {{p: {settings}}}\nroutes: [{{name: r, cluster: shop, policy: p}}]\n"


def route(settings: str) -> str:
    """Return a file with one route."""
    return f"{BASE}routes: [{{name: r, {settings}}}]\n"


FILES = {
    codes.UNREADABLE: "version: \udcff",
    codes.SYNTAX: "version: [",
    codes.TOO_LARGE: "[" * 65,
    codes.UNKNOWN_KEY: "vershun: v1",
    codes.DUPLICATE_KEY: "version: v1\nversion: v1",
    codes.WRONG_TYPE: "routes: 5",
    codes.BAD_DURATION: policy("{timeout: 5}"),
    codes.BAD_ENUM: policy("{breaker: {mode: on}}"),
    codes.BAD_ENV: "version: '${env:SEAWALL_NOT_SET}'",
    codes.NOT_WRITTEN_OUT: f"{BASE}extends: org" + TAIL,
    codes.NOT_SUPPORTED: 'version: v1\ncontrol: {target: "127.0.0.1:9090", tls: {crl_file: x}}',
    codes.BAD_DESCRIPTOR_FILE: "descriptor_files: [gone.binpb]",
    codes.BAD_NUMBER: policy("{breaker: {min_calls: few}}"),
    codes.BAD_VERSION: "version: v9",
    codes.OUT_OF_RANGE: policy("{timeout: 0s}"),
    codes.NOT_A_STATUS: policy("{retry: {codes: [UNAVAILABL]}}"),
    codes.NOT_FINITE: policy("{retry: {backoff: {multiplier: .inf}}}"),
    codes.BAD_ADDRESS: "clusters: [{name: c, endpoints: [localhost]}]",
    codes.BAD_NAME: route("name: 'a b'").replace("name: r, ", ""),
    codes.MISSING: route("policy: builtin/read"),
    codes.EXCLUSIVE: route("cluster: shop, backends: [{cluster: shop}]"),
    codes.BAD_WHEN: policy("{fallback: [{when: never, cluster: backup}]}"),
    codes.BAD_METADATA: route("cluster: shop, match: {metadata: [{name: X, value: v}]}"),
    codes.BAD_METHOD: route("cluster: shop, match: {service: /a}"),
    codes.TOO_MANY: policy("{fallback: [" + "{when: any, static: {json: {}}}, " * 17 + "]}"),
    codes.BAD_HEADER: route("cluster: shop, headers: {request: {remove: [te]}}"),
    codes.METHOD_MISFIT: (
        BASE
        + "policies: {p: {fallback: [{when: any, method: /shop.v1.Checkout/Watch}]}}\n"
        + f"routes: [{{name: r, {CHECKOUT % 'PlaceOrder'}}}]"
    ),
    codes.BAD_KEY: policy("{idempotency: {key: grpc-timeout, journal: {}}}"),
    codes.BAD_REASON: policy("{retry: {max_attempts: 2, classes: [{name: c, reasons: quota}]}}"),
    codes.HEDGE_NEVER: policy("{hedge: 50ms}").replace("cluster: shop", "match: {service: s}, cluster: shop"),
    codes.HEDGE_AT_ONCE: policy("{hedge: 0s}"),
    codes.HEDGE_TOO_LATE: policy("{timeout: 1s, hedge: 1s}"),
    codes.HEDGE_UNPAID: policy("{hedge: {percentile: 90%, budget: 5%}}"),
    codes.HEDGE_NOWHERE: policy("{hedge: 50ms}"),
    codes.MARGIN_IS_ALL: policy("{timeout: 100ms, deadline: {margin: 50ms}}"),
    codes.CLASS_COVERED: policy(
        "{retry: {max_attempts: 2, classes: "
        "[{name: a, codes: [ABORTED, UNAVAILABLE]}, {name: b, codes: [ABORTED]}]}}"
    ),
    codes.BAD_TIME: policy("{fault: {until: tomorrow, abort: {code: ABORTED, percent: 1%}}}"),
    codes.BAD_PATTERN: policy("{classify: [{message: '(?=x)', category: resource}]}"),
    codes.DUPLICATE_NAME: BASE + "clusters: [{name: c}, {name: c}]".replace("clusters", "listeners"),
    codes.NO_SUCH_CLUSTER: route("cluster: nope"),
    codes.NO_SUCH_POLICY: route("cluster: shop, policy: nope"),
    codes.EXTENDS_CYCLE: policy("{extends: p}"),
    codes.RESERVED_NAME: BASE + "policies: {builtin/mine: {}}" + TAIL,
    codes.BAD_DESCRIPTORS: "descriptor_set: /////w==",
    codes.STATIC_MISFIT: (
        BASE
        + "policies: {p: {fallback: [{when: any, static: {json: {x: 1}}}]}}\n"
        + f"routes: [{{name: r, {CHECKOUT % 'PlaceOrder'}}}]"
    ),
    codes.STATIC_PARTIAL: policy("{fallback: [{when: any, static: {json: {id: x}}}]}"),
    codes.NO_SUCH_METHOD: route("cluster: shop, match: {service: shop.v1.Checkout, method: PlaceOder}"),
    codes.TRIES_OUTLAST_CALL: policy(
        "{timeout: 1s, per_try_timeout: 900ms, retry: {max_attempts: 2, only_idempotent: false}}"
    ),
    codes.RETRIES_CLIENT_FAULT: policy("{retry: {max_attempts: 2, codes: [NOT_FOUND]}}"),
    codes.RETRY_NEVER: policy("{retry: {max_attempts: 2}}").replace(
        "cluster: shop", "match: {service: s}, cluster: shop"
    ),
    codes.WINDOW_TOO_SMALL: policy("{breaker: {min_calls: 200}}"),
    codes.FALLBACK_TO_SELF: policy("{fallback: [{when: any, cluster: shop}]}"),
    codes.SHADOWED_ROUTE: BASE + "routes: [{name: a, cluster: shop}, {name: b, cluster: backup}]",
    codes.SINGLE_ATTEMPT: policy("{retry: {codes: [ABORTED]}}"),
    codes.BUDGET_IS_NONE: policy("{retry: {max_attempts: 2, budget: {percent: 100%}}}"),
    codes.TRY_NOT_SHORTER: policy("{timeout: 1s, per_try_timeout: 2s}"),
    codes.UNUSED_CLUSTER: route("cluster: shop"),
    codes.UNUSED_POLICY: BASE + "policies: {p: {}}" + TAIL,
    codes.NO_EFFECT: policy("{breaker: {window: {duration: 5s}}}"),
    codes.NO_ROUTES: "version: v1",
    codes.SENDS_TO_ITSELF: BASE + "listeners: [{name: l, address: '127.0.0.1:50051'}]" + TAIL,
    codes.REPEATED: policy("{retry: {max_attempts: 2, codes: [ABORTED, ABORTED]}}"),
    codes.METHOD_PARTIAL: policy("{fallback: [{when: any, method: /shop.v1.Checkout/GetOrder}]}"),
    codes.FALLBACK_PAST_BREAKER: policy("{breaker: {}, fallback: [{when: any, method: /shop.v1.Cache/Get}]}"),
    codes.FALLBACK_UNREACHED: policy(
        "{fallback: [{when: any, empty: true}, {when: UNAVAILABLE, cluster: backup}]}"
    ),
    codes.KIND_UNKNOWN: policy("{idempotency: {journal: {}}}").replace(
        "cluster: shop, policy", "match: {service: other.v1.Service}, cluster: shop, policy"
    ),
    codes.LIMIT_RANGE: policy("{limit: {max_in_flight: 1, min_in_flight: 2}}"),
    codes.SHARES_TOO_LARGE: policy(
        "{limit: {shares: [{criticality: critical, share: 60%}, {criticality: sheddable, share: 50%}]}}"
    ),
    codes.BAD_RATE_KEY: policy("{rate_limit: {per_second: 1, key: [who]}}"),
    codes.WAITS_OUTLAST_CALL: policy("{timeout: 1s, limit: {queue: 5, queue_timeout: 2s}}"),
    codes.ADAPTIVE_WITHOUT_QUEUE: policy("{limit: {adaptive: gradient}}"),
    codes.CRITICALITY_UNUSED: policy("{limit: {criticality_header: x-crit}}"),
    codes.BURST_TOO_SMALL: policy("{rate_limit: {per_second: 10000, burst: 5}}"),
    codes.MIRROR_TO_SELF: route("cluster: shop, mirror: [shop]"),
    codes.BREAKS_ON_CLIENT_FAULT: policy("{breaker: {failure_codes: [NOT_FOUND]}}"),
    codes.JITTER_TO_NOTHING: policy("{breaker: {open_jitter: 0.95}}"),
    codes.ONE_ENDPOINT: policy("{breaker: {per: endpoint}}"),
    codes.OPTIONAL_ALONE: (
        BASE
        + "policies: {p: {limit: {max_in_flight: 5}}, q: {limit: {max_in_flight: 6}}}\n"
        + "routes: [{name: r, match: {service: s}, cluster: shop, policy: p, optional: true}, "
        + "{name: t, cluster: shop, policy: q}]"
    ),
    codes.WATCHED_TWICE: policy("{breaker: {per: endpoint}}").replace(
        "name: shop,", "name: shop, outlier: {consecutive: 5},"
    ),
    codes.FAULT_IS_OVER: policy(
        "{fault: {until: 2026-01-01T00:00:00Z, abort: {code: ABORTED, percent: 1%}}}"
    ),
    codes.FAULT_IS_LONG: policy(
        "{fault: {until: 2027-01-17T00:00:00Z, abort: {code: ABORTED, percent: 1%}}}"
    ),
    codes.FAULT_HITS_ALL: policy(
        "{fault: {until: 2027-01-15T09:00:00Z, abort: {code: ABORTED, percent: 100%}}}"
    ),
    codes.CLASSIFIED_BEFORE: policy(
        "{classify: [{code: INTERNAL, category: transient}, {code: INTERNAL, reason: X, category: resource}]}"
    ),
    codes.UNVERIFIED: BASE.replace("name: shop,", "name: shop, tls: {insecure_skip_verify: true},") + TAIL,
    codes.NOTHING_TO_COMPARE: BASE.replace("name: shop,", "name: shop, outlier: {consecutive: 3},") + TAIL,
    codes.NEVER_SO_FAR: BASE.replace(
        "name: shop,", "name: shop, outlier: {success_rate: {min_endpoints: 3}},"
    )
    + TAIL,
    codes.EJECTS_FOR_CLIENT_FAULT: (
        BASE.replace("name: shop,", "name: shop, outlier: {failure_codes: [NOT_FOUND]},") + TAIL
    ),
    codes.ANYONE_IS_TRUSTED: (
        BASE + "listeners: [{name: l, address: '0.0.0.0:8080', proxy_protocol: true}]" + TAIL
    ),
    codes.READ_ON_THE_WAY: BASE + "admin: {address: '0.0.0.0:8081', token_file: t}" + TAIL,
}

# A file cannot spell what only another version's bytes can hold.
NOT_IN_FILES = {codes.NEWER}

NOW_S = 1_800_000_000.0
"""2027-01-15T08:00:00Z."""


def test_every_code_is_here() -> None:
    """A new code needs a file that provokes it, and a meaning."""
    named = {value for name, value in vars(codes).items() if name.isupper() and isinstance(value, str)}
    assert named == set(codes.MEANINGS)
    assert set(FILES) | NOT_IN_FILES == named


@pytest.mark.parametrize("code", sorted(FILES))
def test_code_can_be_provoked(code: str, tmp_path: Path) -> None:
    """The file shows the code, at a place, as the severity that the reference names."""
    file = tmp_path / "policy.yaml"
    file.write_bytes(FILES[code].encode("utf-8", "surrogateescape"))
    report = lint_file(file, DescriptorSource([shop_descriptors()]), env={}, wall_s=NOW_S)
    found = [finding for finding in report.findings if finding.violation.code == code]
    assert found, report.findings
    assert found[0].position is not None
    severity = "warning" if found[0].violation.warning else "error"
    assert f"| {code} | {severity} | " in (REFERENCE / "lint-codes.md").read_text(encoding="utf-8")
    if severity == "error":
        assert not report.ok


def test_reference_pages_are_fresh() -> None:
    """Both pages are what the generator writes from the schema and the codes."""
    import importlib.util

    script = Path(__file__).parents[3] / "scripts" / "gen_policy_reference.py"
    spec = importlib.util.spec_from_file_location("gen_policy_reference", script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (REFERENCE / "policy-file.md").read_text(encoding="utf-8") == module.policy_page()
    assert (REFERENCE / "lint-codes.md").read_text(encoding="utf-8") == module.codes_page()
