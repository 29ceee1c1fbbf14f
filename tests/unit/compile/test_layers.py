"""A document over the one that it extends."""

from __future__ import annotations

import json

from google.protobuf import descriptor_pb2

from seawall.v1 import policy_pb2
from seawall_policy.compile import compile_document
from seawall_policy.compile.layers import merged, placed, settings
from seawall_proxy.config import load_text

ORG = """
version: v1
clusters: [{name: shop, endpoints: ["127.0.0.1:1"], max_in_flight: 100, connect_timeout: 1.5s}]
policies:
  standard: {timeout: 2s, retry: {max_attempts: 4, codes: [UNAVAILABLE, ABORTED]}, breaker: {min_calls: 7}}
  strict: {timeout: 1s}
routes:
  - {name: all, cluster: shop, policy: standard}
  - {name: pay, match: {service: shop.v1.Pay}, cluster: shop, policy: strict, idempotent: true}
"""
TEAM = """
version: v1
extends: org
clusters: [{name: mine, endpoints: ["127.0.0.1:2"]}, {name: shop, connect_timeout: 3s}]
policies:
  standard: {retry: {codes: [INTERNAL]}, breaker: {}}
  own: {extends: standard}
routes:
  - {name: mine, match: {service: mine.v1.Mine}, cluster: mine, policy: own}
  - {name: pay, idempotent: false}
"""


def read(text: str) -> policy_pb2.PolicyDocument:
    """Return a document from YAML."""
    loaded = load_text(text)
    assert loaded.violations == ()
    return loaded.document


def test_settings_win_one_by_one_and_the_rest_is_inherited() -> None:
    """Where both have something of a name, what the upper one says counts, field by field."""
    found = merged(read(ORG), read(TEAM))
    assert not found.extends
    assert [cluster.name for cluster in found.clusters] == ["mine", "shop"]
    shop = found.clusters[1]
    assert (shop.max_in_flight, shop.connect_timeout.seconds, shop.connect_timeout.nanos) == (100, 3, 0)
    standard = found.policies["standard"]
    assert (standard.timeout.seconds, standard.retry.max_attempts) == (2, 4)
    assert list(standard.retry.codes) == ["INTERNAL"]
    assert standard.breaker.min_calls == 7
    assert [route.name for route in found.routes] == ["mine", "pay", "all"]
    pay = found.routes[1]
    assert (pay.cluster, pay.policy, pay.HasField("idempotent"), pay.idempotent) == (
        "shop",
        "strict",
        True,
        False,
    )
    assert compile_document(found).snapshot is not None


def test_neither_document_is_changed() -> None:
    """Merging gives a document of its own."""
    org, team = read(ORG), read(TEAM)
    merged(org, team).clusters[1].endpoints[0].address = "127.0.0.1:9"
    assert (org, team) == (read(ORG), read(TEAM))


def test_an_alternative_takes_the_others_place() -> None:
    """A target instead of endpoints, backends instead of a cluster, a percentile instead of a delay."""
    org = read(ORG + "  - {name: split, cluster: shop}")
    org.policies["standard"].hedge.delay.FromMilliseconds(50)
    team = read("""
version: v1
clusters: [{name: shop, target: "dns:///shop:80"}]
policies: {standard: {hedge: {percentile: 95%}}}
routes: [{name: split, backends: [{cluster: shop, weight: 1}]}]
""")
    found = merged(org, team)
    assert not found.clusters[0].endpoints
    assert found.clusters[0].target == "dns:///shop:80"
    assert not found.routes[0].cluster
    assert not found.policies["standard"].hedge.HasField("delay")


def test_what_a_proxys_own_file_decides_is_not_inherited() -> None:
    """Listeners and the link to a control plane stay with their file."""
    org = read(ORG + "\nlisteners: [{name: in, address: '127.0.0.1:80'}]\nadmin: {address: '127.0.0.1:81'}")
    found = merged(org, read(TEAM))
    assert not found.listeners
    assert not found.HasField("admin")


def test_descriptors_of_both_are_there_once() -> None:
    """Of two files with one name the upper document's counts."""

    def files(**packages: str) -> bytes:
        found = [descriptor_pb2.FileDescriptorProto(name=name, package=p) for name, p in packages.items()]
        return descriptor_pb2.FileDescriptorSet(file=found).SerializeToString()

    org, team = policy_pb2.PolicyDocument(), policy_pb2.PolicyDocument()
    org.descriptor_set, team.descriptor_set = files(a="org", b="org"), files(b="team", c="team")
    found = descriptor_pb2.FileDescriptorSet.FromString(merged(org, team).descriptor_set)
    assert [(file.name, file.package) for file in found.file] == [("a", "org"), ("b", "team"), ("c", "team")]
    team.descriptor_set = b"\xff"
    assert merged(org, team).descriptor_set == b"\xff" + org.descriptor_set, (
        "damage is the compiler's to name"
    )


def test_a_document_alone_is_not_whole() -> None:
    """A proxy that reads such a file must not serve without what it extends."""
    (found,) = [v for v in compile_document(read(TEAM)).violations if v.field == "extends"]
    assert found.code == "SW0159"
    assert "`seawall apply`" in found.message


def test_a_violation_is_told_where_it_was_written() -> None:
    """Also when that is the lower document, whose elements have other places there."""
    org, team = read(ORG), read(TEAM)
    del team.clusters[0]
    found = [placed(org, team, v) for v in compile_document(merged(org, team)).violations]
    assert [(p.violation.field, p.in_base) for p in found if not p.violation.warning] == [
        ("routes[0].cluster", False)
    ]
    # The team breaks a route of the organisation.
    org.routes[0].cluster = "gone"
    found = [placed(org, team, v) for v in compile_document(merged(org, team)).violations]
    assert ("routes[0].cluster", True) in [(p.violation.field, p.in_base) for p in found]
    org.policies["strict"].timeout.seconds = -5
    found = [placed(org, team, v) for v in compile_document(merged(org, team)).violations]
    assert ("policies.strict.timeout", True) in [(p.violation.field, p.in_base) for p in found]


def test_every_setting_has_its_layer() -> None:
    """The uppermost document that says so."""
    org, team = read(ORG), read(TEAM)
    found = {s.field: (json.loads(s.value), s.layer) for s in settings(merged(org, team), [team, org])}
    assert found["policies.standard.timeout"] == ("2s", 1)
    assert found["policies.standard.retry.codes"] == (["INTERNAL"], 0)
    assert found["policies.standard.breaker.min_calls"] == (7, 1)
    assert found["routes[pay].idempotent"] == (False, 0)
    assert found["routes[pay].match.service"] == ("shop.v1.Pay", 1)
    assert found["clusters[shop].connect_timeout"] == ("3s", 0)
    assert "extends" not in found
    assert "version" not in found
