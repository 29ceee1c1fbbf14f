"""A policy file checked as a whole, and how the findings are shown."""

from __future__ import annotations

import json
from pathlib import Path

from seawall_policy.descriptors import DescriptorSource
from seawall_proxy.config import lint_file, lint_text, load_text, render_violations
from tests.unit.compile.samples import BASE, shop_descriptors

EXAMPLE = Path(__file__).parents[2] / "data" / "example.yaml"
SHIPPED = Path(__file__).parents[3] / "examples" / "policy.yaml"


def places(text: str) -> list[tuple[int, str, str]]:
    """Return line, code and field of every finding."""
    return [
        (f.position.line if f.position else 0, f.violation.code, f.violation.field)
        for f in lint_text(text).findings
    ]


def test_example_is_clean() -> None:
    """The policy file with every section has neither mistakes nor warnings."""
    report = lint_file(EXAMPLE)
    assert render_violations(report) == ""
    assert report.ok
    assert report.snapshot is not None
    assert [route.name for route in report.snapshot.routes] == ["checkout", "rest"]


def test_shipped_example_is_clean() -> None:
    """The policy file that people are told to start from has neither mistakes nor warnings."""
    assert render_violations(lint_file(SHIPPED)) == ""


def test_mistakes_of_reader_and_compiler_come_together_in_order() -> None:
    """Misspelt keys and misspelt names are reported in one run, in the order of the file."""
    assert places("""
version: v1
clusters:
  - {name: shop, endpoints: ["127.0.0.1"], balanse: round_robin}
policies:
  p: {timeout: 5, retry: {max_attempts: 3, codes: [UNAVAILABL], only_idempotent: false}}
routes:
  - {name: r, cluster: shop, policy: q}
  - {name: s, cluster: shop, policy: p, match: {service: s}}
""") == [
        (4, "SW0105", "clusters[0].endpoints[0]"),
        (4, "SW0004", "clusters[0].balanse"),
        (6, "SW0007", "policies.p.timeout"),
        (6, "SW0103", "policies.p.retry.codes[0]"),
        (8, "SW0203", "routes[0].policy"),
    ]


def test_a_misspelt_section_hides_no_references_to_others() -> None:
    """Only what the misspelt key may have been about is kept back: a section that is there was read."""
    text = """
version: v1
{key}:
  - {{name: main, address: 127.0.0.1:8080}}
clusters:
  - {{name: shop, endpoints: ["127.0.0.1:50051"]}}
routes:
  - {{name: r, cluster: shpo, policy: q}}
"""
    listener = [(3, "SW0004", "listener"), (8, "SW0202", "routes[0].cluster")]
    assert places(text.format(key="listener")) == listener, "the policies may be what was misspelt"
    with_policies = text.format(key="listener") + "policies: {p: {timeout: 1s}}"
    assert (8, "SW0203", "routes[0].policy") in places(with_policies)


def test_a_section_entry_that_cannot_be_read_is_no_missing_name() -> None:
    """A policy that is no mapping is one mistake, not also a reference to nothing."""
    assert places(BASE + "policies: {p: 5}\nroutes: [{name: r, cluster: shop, policy: p}]") == [
        (6, "SW0006", "policies.p")
    ]


def test_settings_with_mistakes_are_not_judged_together() -> None:
    """Nothing is said about a combination one part of which has to be mended first."""
    retry = "retry: {{max_attempts: {most}, codes: [UNAVAILABLE]}}"
    policy = f"policies: {{{{p: {{{{timeout: 1s, per_try_timeout: {{each}}, {retry}}}}}}}}}"
    routes = "\nroutes: [{name: r, cluster: shop, policy: p, idempotent: true}]"
    for most, expected in ((9, "SW0102"), (3, "SW0509")):
        found = places(BASE + policy.format(each="2s", most=most) + routes)
        assert [code for _, code, field in found if field.startswith("policies")] == [expected]


def test_consequences_of_a_mistake_are_kept_back() -> None:
    """A misspelt key is one mistake, not also a missing setting or an empty list."""
    assert places(BASE + "routes: [{name: r, clutser: shop}]") == [(6, "SW0004", "routes[0].clutser")]
    assert places(
        "version: v1\nclusters: [{name: c, endpoints: [{adress: 'a:1'}]}]\nroutes: [{name: r, cluster: c}]"
    ) == [(2, "SW0004", "clusters[0].endpoints[0].adress")]
    assert places(
        "version: v1\ncluster: [{name: c, endpoints: ['a:1']}]\nroutes: [{name: r, cluster: c}]"
    ) == [(2, "SW0004", "cluster")]
    assert places("version: [v1\n") == [(2, "SW0002", "")]


def test_mistakes_beside_a_consequence_still_show() -> None:
    """What does not follow from the reader's mistake is reported beside it."""
    assert places(BASE + "routes: [{name: r, clutser: shop, policy: nope}]") == [
        (6, "SW0004", "routes[0].clutser"),
        (6, "SW0203", "routes[0].policy"),
    ]
    assert places(
        BASE
        + "policies: {p: {retry: {codes: [FOO]}, retry: {}}}\nroutes: [{name: r, cluster: shop, policy: p}]"
    ) == [
        (6, "SW0507", "policies.p.retry.codes"),
        (6, "SW0103", "policies.p.retry.codes[0]"),
        (6, "SW0005", "policies.p.retry"),
    ]


def test_missing_settings_are_shown_at_what_lacks_them() -> None:
    """A field that is not in the file stands where its parent stands."""
    report = lint_text(BASE + "routes:\n  - cluster: shop\n")
    assert [(f.violation.field, f.position.line if f.position else 0) for f in report.errors] == [
        ("routes[0].name", 7)
    ]


def test_warnings_do_not_keep_a_file_from_being_used() -> None:
    """A file with warnings alone is good."""
    report = lint_text(BASE + "routes: [{name: r, cluster: shop}]")
    assert [f.violation.code for f in report.warnings] == ["SW0510"]
    assert report.ok
    assert report.snapshot is not None


def test_a_snapshot_needs_a_file_without_mistakes() -> None:
    """What the reader left out must not go live, even where the rest compiles."""
    report = lint_text(BASE + "routes: [{name: r, cluster: shop, idempotent: yes}]")
    assert not report.ok
    assert report.result.snapshot is not None
    assert report.snapshot is None


def test_descriptors_from_elsewhere_are_used() -> None:
    """What reflection found serves the static answers of a file."""
    text = BASE + (
        "policies: {p: {fallback: [{when: any, static: {json: {nope: 1}}}]}}\n"
        "routes: [{name: r, match: {service: shop.v1.Checkout, method: GetOrder}, cluster: shop, policy: p}]"
    )
    assert lint_text(text).result.missing != ()
    report = lint_text(text, descriptors=DescriptorSource([shop_descriptors()]))
    assert [f.violation.code for f in report.errors] == ["SW0302"]


def test_text_has_a_code_frame() -> None:
    """File, line, column, severity, code, field, message; then the line with carets under the place."""
    report = lint_text("version: v1\npolicies:\n  p: {retry: {codes: [UNAVAILABL]}}\n", path="shop.yaml")
    assert render_violations(report).splitlines()[-3:] == [
        (
            'shop.yaml:3:23: error SW0103 policies.p.retry.codes[0]: "UNAVAILABL" is not a gRPC status. '
            "Did you mean UNAVAILABLE?"
        ),
        "  3 |   p: {retry: {codes: [UNAVAILABL]}}",
        "    |                       ^^^^^^^^^^",
    ]


def test_frames_keep_tabs_and_drop_what_terminals_act_on() -> None:
    """A tab stays under a tab; escape sequences do not get through."""
    loaded = load_text('{"version":\t"v1",\t"nope": 1}', path="p.json")
    assert render_violations(loaded).splitlines()[1:] == [
        '  1 | {"version":\t"v1",\t"nope": 1}',
        "    |            \t     \t^^^^^^",
    ]
    hostile = render_violations(load_text("version: v1\nnope\u202e: 1\n"))
    assert "\u202e" not in hostile


def test_long_lines_are_cut_around_the_place() -> None:
    """A file on one line shows the piece that matters."""
    text = "{version: v1, x-pad: '" + "p" * 5000 + "', nope: 1, x-more: '" + "q" * 5000 + "'}"
    shown = render_violations(load_text(text)).splitlines()
    assert all(len(line) < 250 for line in shown)
    column = shown[2].index("^")
    assert shown[1][column : column + 4] == "nope"


def test_json_is_for_programs() -> None:
    """Each finding is an object; no findings are an empty list."""
    report = lint_text("version: v1\nroutes: [{name: r}]\n", path="p.yaml")
    parsed = json.loads(render_violations(report, "json"))
    assert parsed["file"] == "p.yaml"
    assert parsed["violations"] == [
        {
            "line": 2,
            "column": 10,
            "field": "routes[0].cluster",
            "code": "SW0107",
            "severity": "error",
            "message": "says nowhere to send calls; add `cluster: NAME`",
        }
    ]
    assert json.loads(render_violations(lint_file(EXAMPLE), "json"))["violations"] == []


def test_github_commands() -> None:
    """GitHub shows these beside the lines of a pull request."""
    loaded = load_text("policies: {p: {timeout: 5%}}", path="a,b.yaml")
    assert render_violations(loaded, "github") == (
        "::error file=a%2Cb.yaml,line=1,col=25,title=SW0007::"
        'policies.p.timeout: "5%25" is not a duration; write it like 50ms, 1.5s or 1m30s '
        "(units h, m, s, ms, us, ns)\n"
    )


def test_missing_file() -> None:
    """Without a place the file's name stands alone."""
    assert render_violations(lint_file("gone.yaml")).startswith(
        'gone.yaml: error SW0001 "gone.yaml" cannot be read'
    )


def test_unknown_format_of_findings_without_position() -> None:
    """A finding without a place has null for line and column."""
    parsed = json.loads(render_violations(lint_file("gone.yaml"), "json"))
    assert parsed["violations"][0]["line"] is None
    assert render_violations(lint_file("gone.yaml"), "github").startswith(
        "::error file=gone.yaml,title=SW0001::"
    )
