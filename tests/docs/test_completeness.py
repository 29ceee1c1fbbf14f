"""What the program knows, the pages tell: reasons, metrics, variables, pages, settings, fields, packages."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.docs.pages import DOCS, ROOT, pages, read, script

CODE = ("proxy", "control", "clients/python", "examples", "scripts")


def sources() -> list[Path]:
    """Return the Python sources, the generated stubs left out."""
    return [
        path
        for folder in CODE
        for path in sorted((ROOT / folder).rglob("*.py"))
        if "/seawall/v1/" not in path.as_posix()
    ]


def test_every_reason() -> None:
    """errors.md has a row for each reason of an answer of our own, and no other."""
    from seawall_policy.reasons import ANSWERABLE
    from seawall_proxy.call.local_reply import REASONS

    section = read("reference/errors.md").partition("## Reasons")[2].partition("## ")[0]
    rows = set(re.findall(r"^\| `([A-Z_]+)` \|", section, re.MULTILINE))
    assert rows == set(REASONS)
    assert not [reason for reason in ANSWERABLE if f"`{reason}`" not in read("policies/fallback.md")]


def test_every_trailer() -> None:
    """errors.md names every trailer and outcome that a caller can see."""
    from seawall_proxy.call.ports import OUTCOME_NAMES

    page = read("reference/errors.md")
    trailers = set()
    for path in (ROOT / "proxy" / "seawall_proxy" / "call").glob("*.py"):
        trailers |= set(re.findall(r'b"(seawall-[a-z]+|grpc-retry-[a-z-]+)"', path.read_text("utf-8")))
    assert len(trailers) > 3
    assert not [name for name in trailers if f"`{name}`" not in page]
    for outcome in set(OUTCOME_NAMES) - {"", "ok", "cancelled"}:
        assert f"`{outcome}`" in page, outcome


class Breakers:
    """A route with one breaker."""

    def __init__(self) -> None:
        self.route = "r"
        self.states = [1, 0, 0, 0, 0, 0, 0]
        self.opened = self.rejected = self.would_reject = 0


def test_labels_of_metrics() -> None:
    """The labels that metrics.md tells are those that the proxy serves."""
    from seawall_proxy.telemetry import prometheus
    from seawall_proxy.telemetry.counters import MethodCounters, ProxyCounters, RouteCounters

    counters = RouteCounters("r")
    method = MethodCounters(counters, "s/m")
    method.by_code[0] += 1
    mirror = counters.mirror("c")
    mirror.by_code[0] += 1
    mirror.drop("too_many")
    counters.finish(0, 0.1)
    counters.reject("NO_ROUTE")
    counters.fall_back("static")
    counters.refuse_hedge("budget")
    counters.not_retried["budget"] = 1
    page = prometheus.Exposition()
    prometheus.add_routes(page, {"r": counters})
    counters.limit("LIMITED", 1)
    counters.would_limit("LIMITED")
    counters.waited(0.1)
    prometheus.add_limits(page, {"r": counters})
    prometheus.add_gates(page, [("r", 1, 0, 0, 0)])
    prometheus.add_rate_limits(page, [("r", 1)])
    prometheus.add_methods(page, [method])
    counters.faults.count(0)
    prometheus.add_mirrors(page, {"r": counters})
    counters.degraded_calls = 1
    counters.journal.stored = counters.journal.replayed = 1
    counters.journal.waited = counters.journal.reused = 1
    counters.journal.skip("full")
    prometheus.add_keeping(page, {"r": counters})
    prometheus.add_degraded(page, [("r", True)])
    prometheus.add_kept(page, [("r", 1, 1)], [("r", 1, 1)])
    prometheus.add_faults(page, {"r": counters})
    counters.shadow.would[0] += 1
    prometheus.add_shadows(page, {"r": counters})
    prometheus.add_access_log(page, 1, {"queue_full": 1}, 0)
    prometheus.add_breakers(page, [Breakers()])
    prometheus.add_proxy(page, ProxyCounters(), revision=0, control_connected=True)
    generator = script("gen_metrics_reference")
    served = generator.families(page.text())
    assert len(served) > 20
    for name, _, labels, _ in served:
        told = generator.PROXY[name][0]
        assert sorted(told.split(", ")) == sorted(labels.split(", ")), name


def test_watched_metrics_exist() -> None:
    """Every metric that any page names is served."""
    told = set(re.findall(r"^\| `(\w+)`", read("reference/metrics.md"), re.MULTILINE))
    assert len(told) > 50
    for path in pages():
        for name in re.findall(r"`(seawall_[a-z_]+)[`{]", path.read_text(encoding="utf-8")):
            packages = {"seawall_policy", "seawall_proxy", "seawall_control"}
            assert name in told | packages, f"{path.name}: {name}"


def test_every_variable() -> None:
    """environment.md names every environment variable that the code reads."""
    page = read("reference/environment.md")
    read_by_name = re.compile(r'environ(?:\.get\(|\[)"(\w+)"|envvar="(\w+)"')
    found = {"SEAWALL_INTERPRETED"}
    for path in sources():
        for first, second in read_by_name.findall(path.read_text(encoding="utf-8")):
            found.add(first or second)
    assert {"SEAWALL_DATA_DIR", "SEAWALL_CONTROL"} <= found
    assert not [
        name for name in found if not re.search(rf"`{name}[`=]", page) and not name.startswith("OTEL_")
    ]
    shop = (ROOT / "examples" / "shop" / "shop.yaml").read_text(encoding="utf-8")
    assert not [name for name in re.findall(r"env:(\w+)", shop) if f"`{name}`" not in page]


def test_every_tracing_variable() -> None:
    """connect-tracing.md names every OTEL_ variable that the proxy reads itself, and every attribute."""
    from seawall_proxy.telemetry import names

    page = read("how-to/connect-tracing.md")
    folder = ROOT / "proxy" / "seawall_proxy" / "telemetry"
    found = set()
    for path in folder.glob("trac*.py"):
        found |= set(re.findall(r'"(OTEL_[A-Z_]+)"', path.read_text(encoding="utf-8")))
    assert len(found) > 5
    assert not [name for name in found if f"`{name}`" not in page]
    attributes = [
        value
        for key, value in vars(names).items()
        if key.isupper() and isinstance(value, str) and value not in (names.SCOPE, names.SERVICE)
    ]
    assert len(attributes) > 10
    assert not [name for name in attributes if f"`{name}`" not in page]


def test_every_admin_page() -> None:
    """admin-http.md has a row for each page of the proxy, and no other."""
    source = (ROOT / "proxy" / "seawall_proxy" / "runtime" / "pages.py").read_text(encoding="utf-8")
    served = set(re.findall(r'^ {8}"(/\w+)":', source, re.MULTILINE))
    rows = set(re.findall(r"^\| `(/\w+)` \|", read("reference/admin-http.md"), re.MULTILINE))
    assert rows == served
    assert len(served) > 4


def test_every_endpoint_of_the_control_plane() -> None:
    """control-http.md has a row for each method and path that the control plane serves, and no other."""
    from seawall_control.api.http import routes

    served = set()
    route: Any
    for route in routes(None):  # type: ignore[arg-type]
        methods = getattr(route, "methods", {"WS"}) - {"HEAD", "OPTIONS"}
        path = route.path.replace(":path}", "}")
        served |= {f"{method} {path}" for method in methods}
    page = read("reference/control-http.md")
    rows = {row.partition("?")[0] for row in re.findall(r"^\| `([A-Z]+ /[^`]*)` \|", page, re.MULTILINE)}
    assert rows == served


def test_every_error_of_the_control_plane() -> None:
    """control-http.md tells reason, HTTP status and gRPC code of each error as the API has them."""
    from seawall_control.api.errors import TABLE, http_status
    from seawall_control.domain import errors

    page = read("reference/control-http.md")
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    reasons = {kind.reason for kind in kinds if issubclass(kind, errors.ControlError)}
    for reason in reasons:
        assert f"`{reason}`" in page, reason
    for kind, code, _ in TABLE:
        row = next(
            line for line in page.splitlines() if line.startswith("| `") and f"`{kind.reason}`" in line
        )
        assert f"| {http_status(kind.__new__(kind))} | {code.name} |" in row


def test_every_builtin_policy() -> None:
    """write-a-policy.md has a row for each built-in policy."""
    from seawall_policy.builtin import DESCRIPTIONS

    rows = set(re.findall(r"^\| `(builtin/[\w-]+)` \|", read("how-to/write-a-policy.md"), re.MULTILINE))
    assert rows == set(DESCRIPTIONS)


@pytest.mark.parametrize(
    ("page", "messages"),
    [
        ("policies/timeouts.md", ["Policy", "Deadline"]),
        ("policies/retries.md", ["Retry", "Backoff", "Budget", "RetryThrottle", "RetryClass"]),
        ("policies/hedging.md", ["Hedge"]),
        ("policies/breaker.md", ["Breaker", "SlowCall", "BreakerRamp"]),
        ("policies/fallback.md", ["Fallback", "LastGood"]),
        ("policies/idempotency.md", ["Idempotency", "Journal"]),
        ("policies/classification.md", ["Classify"]),
        ("policies/faults.md", ["Fault", "FaultAbort", "FaultDelay", "FaultBandwidth", "FaultStream"]),
        ("policies/limits.md", ["Limit", "CriticalityShare"]),
        ("policies/rate-limits.md", ["RateLimit"]),
        ("policies/headers.md", ["RouteHeaders", "HeaderChange"]),
        ("policies/mirroring.md", ["Mirror"]),
        ("reference/access-log.md", ["AccessLog"]),
        ("how-to/health-and-reflection.md", ["Serve"]),
        ("policies/balancing.md", ["Cluster", "Hash", "SlowStart"]),
        ("policies/health-checks.md", ["HealthCheck"]),
        (
            "policies/outliers.md",
            ["Outlier", "SuccessRateOutlier", "FailureOutlier", "FailureShareOutlier", "LatencyOutlier"],
        ),
        ("how-to/find-endpoints-by-name.md", ["Dns"]),
    ],
)
def test_every_setting(page: str, messages: list[str]) -> None:
    """The page of a mechanism names each of its settings."""
    from seawall.v1 import policy_pb2

    elsewhere = {"extends", "retry", "breaker", "fallback", "classify", "name", "hedge"}
    elsewhere |= {"limit", "rate_limit", "fault", "idempotency", "recovered_after"}
    text = read(page)
    for message in messages:
        for field in policy_pb2.DESCRIPTOR.message_types_by_name[message].fields:
            if message in ("Policy", "Cluster") and field.name in elsewhere:
                continue
            assert re.search(rf"`(\w+\.)?{field.name}[`:.]", text), f"{page}: {message}.{field.name}"


def test_policy_pages_have_one_shape() -> None:
    """Every page of a mechanism has the same sections in the same order."""
    shape = ["About", "Usage", "What counts as failure", "Defaults", "Telemetry", "Anti-patterns"]
    found = sorted((DOCS / "policies").glob("*.md"))
    assert len(found) >= 7
    for path in found:
        headings = re.findall(r"^## (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
        assert headings == shape, path.name


def test_every_field_and_kind_of_an_event() -> None:
    """events.md has every field and kind of the contract, and every trigger of a breaker."""
    from seawall.v1 import event_pb2

    page = read("reference/events.md")
    fields = page.partition("## Fields")[2].partition("\n## ")[0]
    for field in event_pb2.ErrorEvent.DESCRIPTOR.fields:
        assert f"`{field.name}`" in fields, field.name
    for name in event_pb2.EventKind.keys()[1:]:
        assert f"`{name.removeprefix('EVENT_KIND_')}`" in page, name
    rooms = sorted((ROOT / "proxy" / "seawall_policy" / "breaker").glob("*.py"))
    machine = "\n".join(room.read_text(encoding="utf-8") for room in rooms)
    triggers = set(re.findall(r'_(?:move|rest)\(.*?, now, "(\w+)"\)', machine))
    triggers |= set(re.findall(r'^ +return "(\w+)"$', machine, re.MULTILINE))
    assert {"failure_rate", "cooled_down"} <= triggers
    assert {"ramped_up", "hold_ended"} <= triggers
    assert not [name for name in triggers if f"`{name}`" not in page]


def test_every_filter_field() -> None:
    """The how-to names every field that a filter may use."""
    from seawall_control.domain.filters import FIELDS

    page = read("how-to/read-and-resolve-events.md")
    assert not [name for name in FIELDS if f"`{name}`" not in page]


def test_every_reason_of_a_gap() -> None:
    """event-delivery.md tells each reason for which a number is declared lost."""
    from seawall_proxy.runtime.control.delivery import POISON
    from seawall_proxy.telemetry import spool

    page = read("explanation/event-delivery.md")
    names = [name for name in spool.__all__ if name.isupper()]
    reasons = {str(getattr(spool, name)) for name in names} | {POISON}
    assert not [reason for reason in reasons if f"| `{reason}` |" not in page]


def test_every_exit_code() -> None:
    """exit-codes.md has the codes that the processes end with."""
    from seawall.cli import exits
    from seawall_control import main, server
    from seawall_proxy.runtime import server as proxy

    page = read("reference/exit-codes.md")
    codes = {
        *(exits.OK, exits.FAILED, exits.USAGE),
        *(main.EXIT_USAGE, main.EXIT_NOW, server.EXIT_OK, server.EXIT_STORE_FAILED, server.EXIT_PART_ENDED),
        *(proxy.EXIT_OK, proxy.EXIT_FAILED),
    }
    assert not [code for code in codes if f"\n| {code} |" not in page]


def test_every_dependency() -> None:
    """dependencies.md has a line for each package that pyproject.toml names."""
    page = read("dependencies.md")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = [*project["project"]["dependencies"], *project["build-system"]["requires"]]
    for extra in project["project"]["optional-dependencies"].values():
        wanted += extra
    names = {re.split(r"[<>=;\[ ]", text)[0] for text in wanted} - {"seawall"}
    assert len(names) > 20
    assert not [name for name in names if f"`{name}`" not in page]
    assert not [extra for extra in project["project"]["optional-dependencies"] if f"`{extra}`" not in page]


def test_every_variable_of_older_systems_is_told_of() -> None:
    """environment.md says of each of the sixteen what does it here."""
    section = read("reference/environment.md").partition("## Variables of older systems")[2]
    named = re.findall(r"^\| `(CONTAINER_[A-Z_]+)` `[^`]+` \| [^|]+ \| [^|]+ \|$", section, re.MULTILINE)
    assert len(named) == len(set(named)) == 16
