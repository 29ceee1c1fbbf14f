"""Changes of metadata, mirrors, the access log's settings and the services of the proxy's own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall_policy.compile import access_log, digest
from seawall_policy.compile.report import Report
from seawall_policy.compile.scope import Scope
from seawall_policy.header_change import Field, HeaderChange
from seawall_policy.model import Route
from tests.unit.compile.samples import compiled, document, errors, warnings

ROUTES = "\nroutes: [{name: r, cluster: shop}, {name: s, match: {service: s}, cluster: backup}]"


def route(text: str) -> Route:
    """Return the only route of a document."""
    result = compiled(f"routes: [{{name: r, cluster: shop, {text}}}]")
    assert result.snapshot is not None, result.violations
    return result.snapshot.routes[0]


def mistakes(text: str) -> list[tuple[str, str]]:
    """Return field (within the route) and code of every mistake in a route."""
    result = compiled(f"routes: [{{name: r, cluster: shop, {text}}}]")
    return [
        (field.removeprefix("routes[0].").removeprefix("routes[r]."), code) for field, code in errors(result)
    ]


def test_a_route_without_changes_has_none() -> None:
    """None is what the data path asks for: nothing is paid for a feature that is off."""
    found = route("idempotent: true")
    assert (found.request_headers, found.response_headers, found.mirrors) == (None, None, ())
    found = route("headers: {request: {}, response: {set: {}}}")
    assert (found.request_headers, found.response_headers) == (None, None)


def test_changes_reach_the_route() -> None:
    """Stable fields are kept apart from credentials, and what is set is dropped first."""
    found = route(
        "headers: {request: {set: {x-tier: gold, authorization: Bearer t}, add: {x-b-bin: aGk=}, "
        "remove: [x-debug]}}"
    ).request_headers
    assert found is not None
    assert found.dropped == {b"x-tier", b"authorization", b"x-debug"}
    assert found.stable == ((b"x-tier", b"gold"), (b"x-b-bin", b"aGk="))
    assert found.per_call == ((b"authorization", b"Bearer t"),)


@pytest.mark.parametrize(
    "name",
    [
        ":path", "grpc-timeout", "te", "content-type", "content-length", "connection", "upgrade", "host",
        "transfer-encoding", "keep-alive", "proxy-connection", "seawall-mirror", "X-Upper", "a b", "ü", "",
        "x" * 257, "trailer",
    ],
)  # fmt: skip
def test_names_that_stay_as_they_are(name: str) -> None:
    """What the protocol or Seawall owns cannot be set, added or removed, on neither way."""
    for where, change in (
        ("set", f'{{"{name}": v}}'),
        ("add", f'{{"{name}": v}}'),
        ("remove", f'["{name}"]'),
    ):
        for way in ("request", "response"):
            found = mistakes(f"headers: {{{way}: {{{where}: {change}}}}}")
            assert [code for _, code in found] == ["SW0131"], (where, way)
            assert found[0][0].startswith(f"headers.{way}.{where}")


@pytest.mark.parametrize(
    ("name", "value"),
    [("x-a", "ü"), ("x-a", "a\\tb"), ("x-a", " a"), ("x-a", "a "), ("x-a", "v" * 4097), ("x-a-bin", "a"),
     ("x-a-bin", "a b"), ("x-a-bin", "aGk==="), ("x-a-bin", "not base64!")],
)  # fmt: skip
def test_values_that_cannot_be_sent(name: str, value: str) -> None:
    """Values are printable ASCII without spaces at their ends, those of -bin names base64."""
    assert [code for _, code in mistakes(f'headers: {{request: {{set: {{{name}: "{value}"}}}}}}')] == [
        "SW0131"
    ]


def test_a_name_is_changed_in_one_way_only() -> None:
    """Two wishes for one name contradict each other."""
    assert [code for _, code in mistakes("headers: {request: {set: {x-a: v}, remove: [x-a]}}")] == ["SW0108"]
    assert [code for _, code in mistakes("headers: {request: {set: {x-a: v}, add: {x-a: w}}}")] == ["SW0108"]
    result = compiled("routes: [{name: r, cluster: shop, headers: {request: {remove: [x-a, x-a]}}}]")
    assert ("SW0515") in [code for _, code in warnings(result)]


def test_there_are_limits() -> None:
    """No document can make a call carry without end."""
    many = "{" + ", ".join(f"x-{n}: v" for n in range(33)) + "}"
    assert ("headers.request.set", "SW0113") in mistakes(f"headers: {{request: {{set: {many}}}}}")
    assert "SW0113" in [code for _, code in mistakes("mirror: [backup, backup, backup, backup, backup]")]


def test_mirrors_reach_the_route() -> None:
    """A bare name means every call; 0 percent means none."""
    (mirror,) = route("mirror: [backup]").mirrors
    assert (mirror.cluster, mirror.share) == ("backup", 1.0)
    (mirror,) = route("mirror: [{cluster: backup, percent: 2.5%}]").mirrors
    assert mirror.share == 0.025
    assert route("mirror: [{cluster: backup, percent: 0%}]").mirrors == ()


@pytest.mark.parametrize(
    ("text", "field", "code"),
    [
        ("mirror: [nope]", "mirror[0].cluster", "SW0202"),
        ("mirror: [{percent: 1%}]", "mirror[0].cluster", "SW0107"),
        ("mirror: [backup, backup]", "mirror[1].cluster", "SW0108"),
        ("mirror: [{cluster: backup, percent: 101%}]", "mirror[0].percent", "SW0102"),
    ],
)
def test_mirrors_that_make_no_sense(text: str, field: str, code: str) -> None:
    """Each mistake is told at its place."""
    assert (field, code) in mistakes(text)


def test_a_mirror_counts_as_use_of_a_cluster() -> None:
    """A cluster that only gets copies is not unused; the route's own cluster as mirror is warned of."""
    result = compiled("routes: [{name: r, cluster: shop, mirror: [backup]}]")
    assert "SW0510" not in [code for _, code in warnings(result)]
    result = compiled("routes: [{name: r, cluster: shop, mirror: [shop]}]")
    assert "SW0541" in [code for _, code in warnings(result)]


def options(text: str) -> access_log.AccessLogOptions | None:
    """Return the settings of an access log."""
    report = Report()
    found = access_log.read_access_log(Scope(report, "access_log"), document(f"access_log: {text}\n"))
    assert report.errors == 0
    return found


def test_the_access_logs_settings() -> None:
    """A bare path means every call with every key that names nobody; 0 percent means none."""
    found = options("'-'")
    assert found == access_log.AccessLogOptions("-", 1.0, False, access_log.DEFAULT_FIELDS)
    assert "peer_address" not in access_log.DEFAULT_FIELDS
    found = options(
        "{path: a.log, sample: 10%, only: failures, fields: [status, peer_address], format: json}"
    )
    assert found == access_log.AccessLogOptions("a.log", 0.1, True, ("status", "peer_address"))
    assert options("{path: a.log, sample: 0%}") is None


@pytest.mark.parametrize(
    ("text", "field", "code"),
    [
        ("{sample: 10%}", "access_log.path", "SW0107"),
        ("{path: logs/}", "access_log.path", "SW0105"),
        ("{path: a, sample: 101%}", "access_log.sample", "SW0102"),
        ("{path: a, fields: [statu]}", "access_log.fields[0]", "SW0008"),
    ],
)
def test_access_logs_that_make_no_sense(text: str, field: str, code: str) -> None:
    """Each mistake is told at its place before anything starts."""
    assert (field, code) in errors(compiled(f"access_log: {text}{ROUTES}"))


def test_bootstrap_parts_are_no_part_of_a_revision() -> None:
    """Two proxies with logs of their own run the same policy."""
    plain = document(ROUTES)
    own = document(f"access_log: '-'\nserve: {{health: true, reflection: true}}{ROUTES}")
    assert digest(plain) == digest(own)


def test_how_many_methods_are_learned() -> None:
    """The number has a range."""
    assert errors(compiled(f"admin: {{max_methods: 10001}}{ROUTES}")) == [("admin.max_methods", "SW0102")]


NAMES = st.sampled_from([b"x-a", b"x-b", b"x-c", b"authorization", b"cookie"])
FIELDS = st.lists(st.tuples(NAMES, st.sampled_from([b"1", b"2"])), max_size=6)


@given(
    FIELDS,
    FIELDS,
    st.dictionaries(NAMES, st.just(b"s")),
    st.dictionaries(NAMES, st.just(b"a")),
    st.sets(NAMES),
)
def test_a_change_is_what_it_says(
    stable: list[Field],
    extra: list[Field],
    set_fields: dict[bytes, bytes],
    add_fields: dict[bytes, bytes],
    remove: set[bytes],
) -> None:
    """However a list is split in two, the outcome is the naive one: drop, then append."""
    change = HeaderChange(tuple(set_fields.items()), tuple(add_fields.items()), frozenset(remove))
    gone = remove | set(set_fields)
    naive = [field for field in (*stable, *extra) if field[0] not in gone]
    naive += [*set_fields.items(), *add_fields.items()]
    result = (*change.of_stable(tuple(stable)), *change.of_call(tuple(extra)))
    assert sorted(result) == sorted(naive)
    assert not [name for name, _ in change.stable if name in (b"authorization", b"cookie")]
