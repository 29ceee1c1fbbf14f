"""Reading policy files: types by target, places, limits."""

from __future__ import annotations

from pathlib import Path

import pytest

from seawall.v1 import policy_pb2
from seawall_proxy.config import LoadedDocument, load_file, load_text
from tests.unit.compile.samples import shop_descriptors


def found(loaded: LoadedDocument) -> list[tuple[int, int, str, str]]:
    """Return line, column, code and field of every finding."""
    return [
        (f.position.line, f.position.column, f.violation.code, f.violation.field)
        if f.position
        else (0, 0, f.violation.code, f.violation.field)
        for f in loaded.findings
    ]


def messages(loaded: LoadedDocument) -> list[str]:
    """Return the messages of every finding."""
    return [v.message for v in loaded.violations]


def good(text: str, **options: object) -> policy_pb2.PolicyDocument:
    """Return a document that must be readable."""
    loaded = load_text(text, **options)  # type: ignore[arg-type]
    assert loaded.violations == ()
    return loaded.document


def test_yaml_json_and_toml_say_the_same() -> None:
    """One document, three spellings."""
    yaml = good("""
version: v1
clusters:
  - name: shop
    endpoints: ["127.0.0.1:1", {address: "127.0.0.1:2"}]
    balance: least_request
    max_in_flight: 5
policies:
  p:
    timeout: 1m30s
    retry: {max_attempts: 3, codes: [ABORTED], budget: {percent: 20%}, only_idempotent: false}
    fallback: [{when: any, static: {json: {n: 1, t: text, b: true, z: null, l: [1.5]}}}]
routes: [{name: r, cluster: shop, policy: p, match: {metadata: [{name: x, value: "1"}]}}]
control: {target: "127.0.0.1:9090", labels: {zone: a}}
""")
    json = good("""
{"version": "v1",
 "clusters": [{"name": "shop", "endpoints": [{"address": "127.0.0.1:1"}, "127.0.0.1:2"],
               "balance": "BALANCE_LEAST_REQUEST", "maxInFlight": 5}],
 "policies": {"p": {
   "timeout": "90s",
   "retry": {"maxAttempts": 3, "codes": ["ABORTED"], "budget": {"percent": 20}, "onlyIdempotent": false},
   "fallback": [{"when": ["any"],
                 "static": {"json": {"n": 1, "t": "text", "b": true, "z": null, "l": [1.5]}}}]}},
 "routes": [{"name": "r", "cluster": "shop", "policy": "p",
             "match": {"metadata": [{"name": "x", "value": "1"}]}}],
 "control": {"target": "127.0.0.1:9090", "labels": {"zone": "a"}}}
""")
    toml = good(
        """
version = "v1"
[[clusters]]
name = "shop"
endpoints = ["127.0.0.1:1", "127.0.0.1:2"]
balance = "least_request"
max_in_flight = 5
[policies.p]
timeout = "1m30s"
[policies.p.retry]
max_attempts = 3
codes = ["ABORTED"]
budget.percent = "20%"
only_idempotent = false
[[policies.p.fallback]]
when = "any"
static.json = {n = 1, t = "text", b = true, l = [1.5]}
[[routes]]
name = "r"
cluster = "shop"
policy = "p"
[[routes.match.metadata]]
name = "x"
value = "1"
[control]
target = "127.0.0.1:9090"
labels = {zone = "a"}
""",
        path="p.toml",
    )
    assert yaml == json
    del yaml.policies["p"].fallback[0].static.json.struct_value.fields["z"]  # TOML has no null
    assert yaml == toml


@pytest.mark.parametrize(
    "word",
    ["no", "on", "yes", "off", "y", "1:30", "012", "0x1F", "1e3", "2020-01-01", "true", "7", "=", "1_000"],
)
def test_words_stay_words_where_text_is_wanted(word: str) -> None:
    """None of YAML's traps turns a name into something else."""
    document = good(f"clusters: [{{name: {word}}}]\ncontrol: {{labels: {{k: {word}, {word}: v}}}}")
    assert document.clusters[0].name == word
    assert document.control.labels["k"] == word
    assert document.control.labels[word] == "v"


@pytest.mark.parametrize(
    "word", ["no", "on", "yes", "off", "1:30", "0x1F", "2020-01-01", "inf", "nan", "+", "1.2.3", "v1", "<<x"]
)
def test_words_stay_words_in_json_values(word: str) -> None:
    """Static answers follow the core schema of YAML 1.2."""
    document = good(f"policies: {{p: {{fallback: [{{static: {{json: {{k: {word}}}}}}}]}}}}")
    assert document.policies["p"].fallback[0].static.json.struct_value.fields["k"].string_value == word


@pytest.mark.parametrize(
    ("word", "kind", "value"),
    [
        ("1", "number_value", 1.0),
        ("-1.5e3", "number_value", -1500.0),
        (".5", "number_value", 0.5),
        ("true", "bool_value", True),
        ("FALSE", "bool_value", False),
        ("null", "null_value", 0),
        ("~", "null_value", 0),
        ("'1'", "string_value", "1"),
        ("!!str 1", "string_value", "1"),
        ("''", "string_value", ""),
    ],
)
def test_json_values(word: str, kind: str, value: object) -> None:
    """Numbers, booleans and null are what they look like, unless quoted."""
    document = good(f"policies: {{p: {{fallback: [{{static: {{json: {word}}}}}]}}}}")
    json = document.policies["p"].fallback[0].static.json
    assert json.WhichOneof("kind") == kind
    assert getattr(json, kind) == value


@pytest.mark.parametrize(
    ("setting", "code", "part"),
    [
        ("timeout: 30", "SW0007", "has no unit"),
        ("timeout: 1:30", "SW0007", "is not a duration"),
        ("timeout: [1s]", "SW0006", "is a list; a duration"),
        ("retry: 3", "SW0006", "is a single value; a mapping is expected"),
        ("retry: [a]", "SW0006", "is a list; a mapping is expected"),
        ("retry: {max_attempts: three}", "SW0012", "is not a whole number"),
        ("retry: {max_attempts: 3.0}", "SW0012", "is not a whole number"),
        ("retry: {max_attempts: 03}", "SW0012", "starts with a zero"),
        ("retry: {max_attempts: 0x3}", "SW0012", "is not a whole number"),
        ("retry: {max_attempts: 1:30}", "SW0012", "base sixty"),
        ("retry: {max_attempts: -1}", "SW0102", "is out of range"),
        ("retry: {max_attempts: 4294967296}", "SW0102", "is out of range"),
        ("retry: {max_attempts: {}}", "SW0006", "is a mapping; a whole number is expected"),
        ("retry: {only_idempotent: no}", "SW0006", "write false"),
        ("retry: {only_idempotent: 1}", "SW0006", "write true"),
        ("retry: {only_idempotent: maybe}", "SW0006", "neither true nor false"),
        ("retry: {codes: ABORTED}", "SW0006", "a list is expected, write [ABORTED]"),
        ("retry: {codes: {a: b}}", "SW0006", "is a mapping; a list is expected"),
        ("retry: {codes: [[ABORTED]]}", "SW0006", "is a list; the name of a gRPC status"),
        ("retry: {codes: [~]}", "SW0006", "is an empty element"),
        ("retry: {backoff: {kind: exponentiel}}", "SW0008", "Did you mean exponential?"),
        ("retry: {backoff: {kind: unspecified}}", "SW0008", "is not one of"),
        ("retry: {backoff: {jitter: 20%}}", "SW0012", "a plain ratio"),
        ("retry: {backoff: {multiplier: 2x}}", "SW0012", "a plain number without a unit"),
        ("retry: {backoff: {multiplier: .inf}}", "SW0104", "not a finite number"),
        ("retry: {backoff: {multiplier: NaN}}", "SW0104", "not a finite number"),
        ("retry: {backoff: {multiplier: 1e999}}", "SW0104", "too large"),
        ("retry: {budget: {percent: half}}", "SW0012", "is not a percentage; write it like 50%"),
        ("retry: {budget: {percent: 5%%}}", "SW0012", "is not a percentage"),
        ("retri: {}", "SW0004", "Did you mean retry?"),
        ("max_attempts: 3", "SW0004", "It belongs under `retry`."),
        ("retry: {timeout: 3s}", "SW0004", "It belongs one level up."),
        ("zzz: 1", "SW0004", "Known keys are extends, timeout"),
        ("fallback: [{static: {json: {a: 010}}}]", "SW0012", "octal"),
        ("fallback: [{static: {json: {a: .nan}}}]", "SW0104", "not a finite number"),
        ("fallback: [{static: {json: {a: 9007199254740993}}}]", "SW0012", "put it in quotes"),
        ("timeout: 1s, timeout: 2s", "SW0005", "first on line 1"),
        ("per_try_timeout: 1s, perTryTimeout: 2s", "SW0005", "is given twice"),
        ("? [a] : b", "SW0006", "where a key is expected"),
        ("timeout: !!python/name:os.system 1s", "SW0006", "has no meaning here"),
        ("<<: 5", "SW0006", "a merge key takes a mapping"),
    ],
)
def test_mistakes(setting: str, code: str, part: str) -> None:
    """Every mistake has its code and a remedy."""
    loaded = load_text(f"policies: {{p: {{{setting}}}}}")
    assert [v.code for v in loaded.violations] == [code]
    assert part in messages(loaded)[0]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("control: {tls: {crl_file: x}}", "SW0010"),
        ("hello", "SW0006"),
        ("- a", "SW0006"),
        ("policies: []", "SW0006"),
        ("policies: {p: }", "SW0006"),
        ("policies: {p: 1s}", "SW0006"),
        ("routes: {a: b}", "SW0006"),
        ("control: {labels: {a: }}", "SW0006"),
        ("control: {labels: {a: [b]}}", "SW0006"),
        ("descriptor_set: '!'", "SW0006"),
        ("a: b: c", "SW0002"),
        ("a: 'b", "SW0002"),
        ("a: *b", "SW0002"),
        ("version: v1\n---\nversion: v1", "SW0002"),
        ("\x07", "SW0002"),
    ],
)
def test_mistakes_elsewhere(text: str, code: str) -> None:
    """Sections, the top and the syntax have mistakes of their own."""
    assert [v.code for v in load_text(text).violations] == [code]


def test_places_are_those_of_keys_and_values() -> None:
    """A wrong key is shown at the key, a wrong value at the value, in lines and columns from 1."""
    loaded = load_text("version: v1\npolicies:\n  p:\n    timeout: 5\n    retri: {}\n    retry: {codes: x}\n")
    assert found(loaded) == [
        (4, 14, "SW0007", "policies.p.timeout"),
        (5, 5, "SW0004", "policies.p.retri"),
        (6, 20, "SW0006", "policies.p.retry.codes"),
    ]


def test_columns_count_characters() -> None:
    """Letters of several bytes are one column each, and a byte order mark is none."""
    loaded = load_text("routes: [{name: größe, idempotent: 5}]")
    assert [(line, column) for line, column, _, _ in found(loaded)] == [(1, 36)]


def test_every_field_has_a_place() -> None:
    """Positions are known for list elements, map entries and shorthand values; what is absent is where its
    parent is.
    """
    loaded = load_text(
        "clusters:\n  - name: a\n    endpoints:\n      - x:1\npolicies:\n  p: {fallback: [{when: any}]}\n"
    )
    assert {path: (p.line, p.column) for path, p in loaded.positions.items()} == {
        "": (1, 1),
        "clusters": (2, 3),
        "clusters[0]": (2, 5),
        "clusters[0].name": (2, 11),
        "clusters[0].endpoints": (4, 7),
        "clusters[0].endpoints[0]": (4, 9),
        "clusters[0].endpoints[0].address": (4, 9),
        "policies": (6, 3),
        "policies.p": (6, 6),
        "policies.p.fallback": (6, 17),
        "policies.p.fallback[0]": (6, 18),
        "policies.p.fallback[0].when": (6, 25),
        "policies.p.fallback[0].when[0]": (6, 25),
    }
    assert loaded.position_of("clusters[0].balance") == loaded.positions["clusters[0]"]
    assert loaded.position_of("routes[4].name") == loaded.positions[""]


def test_toml_places() -> None:
    """Tables, arrays of tables and dotted keys are found again."""
    loaded = load_text(
        'version = "v1"\n[[clusters]]\nname = "a"\n[[clusters]]\nname = "b"\nbalance = "x"  # comment\n'
        '[policies.p]\nretry.max_attempts = "many"\n[[policies.p.fallback]]\nwen = "any"\n',
        path="p.toml",
    )
    assert found(loaded) == [
        (6, 11, "SW0008", "clusters[1].balance"),
        (8, 22, "SW0012", "policies.p.retry.max_attempts"),
        (10, 7, "SW0004", "policies.p.fallback[0].wen"),
    ]


def test_toml_syntax() -> None:
    """A syntax error has the place that the parser names."""
    loaded = load_text('version = "v1"\nx = = 1\n', path="p.toml")
    assert [(line, code) for line, _, code, _ in found(loaded)] == [(2, "SW0002")]


def test_x_keys_are_ignored() -> None:
    """A place for anchors and notes, at any level."""
    document = good("x-note: {any: [thing]}\nclusters: [{name: a, x-owner: me}]")
    assert document.clusters[0].name == "a"


def test_null_is_not_set() -> None:
    """A key without a value leaves its setting alone."""
    document = good("version:\nclusters: ~\npolicies: {p: {retry: null, timeout: }}")
    assert document == policy_pb2.PolicyDocument(policies={"p": policy_pb2.Policy()})


def test_empty_files_are_empty_documents() -> None:
    """Nothing, comments and null are documents without settings."""
    for text in ("", "# nothing\n", "~", "{}", "---\n"):
        assert good(text) == policy_pb2.PolicyDocument()


def test_anchors_and_merge_keys() -> None:
    """Merged settings stand behind a mapping's own, earlier ones before later ones."""
    document = good("""
x-a: &a {timeout: 1s, per_try_timeout: 10ms}
x-b: &b {timeout: 2s, retry: {max_attempts: 2}}
policies:
  one: {<<: *a}
  two: {<<: [*a, *b], per_try_timeout: 20ms}
  three: *b
""")
    assert document.policies["one"].timeout.seconds == 1
    assert document.policies["two"].timeout.seconds == 1
    assert document.policies["two"].per_try_timeout.nanos == 20_000_000
    assert document.policies["two"].retry.max_attempts == 2
    assert document.policies["three"].timeout.seconds == 2


def test_quoted_merge_key_is_a_key() -> None:
    """Only the plain `<<` merges."""
    assert [v.code for v in load_text('policies: {p: {"<<": {}}}').violations] == ["SW0004"]


def test_scalar_for_a_list_only_where_it_is_allowed() -> None:
    """`when: any` is a list of one."""
    assert list(good("policies: {p: {fallback: [{when: any}]}}").policies["p"].fallback[0].when) == ["any"]


def test_environment() -> None:
    """References are replaced inside values, with defaults, and typed like what they stand for."""
    document = good(
        """
clusters: [{name: "${env:NAME}-${env:ZONE:-z}", max_in_flight: "${env:LIMIT}", authority: "$${env:NAME}"}]
control: {target: "${env:HOST:-127.0.0.1}:9090", node: "${env:EMPTY}", policy_set: "a$b"}
routes: [{name: r, idempotent: "${env:YES}"}]
""",
        env={"NAME": "shop", "LIMIT": "12", "EMPTY": "", "YES": "true"},
    )
    assert document.clusters[0].name == "shop-z"
    assert document.clusters[0].max_in_flight == 12
    assert document.clusters[0].authority == "${env:NAME}"
    assert document.control.target == "127.0.0.1:9090"
    assert document.control.node == ""
    assert document.control.policy_set == "a$b"
    assert document.routes[0].idempotent


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("${env:GONE}", "needs the environment variable GONE"),
        ("${GONE}", "is not ${env:NAME}"),
        ("${env:1A}", "malformed"),
        ("${env:}", "malformed"),
        ("${env:A", "is not ${env:NAME}"),
        ("${env:BIG}", "is longer than"),
    ],
)
def test_environment_mistakes(text: str, part: str) -> None:
    """A reference that cannot be replaced is a mistake at its value."""
    loaded = load_text(f"control: {{node: '{text}'}}", env={"BIG": "x" * 70_000})
    assert [v.code for v in loaded.violations] == ["SW0009"]
    assert part in messages(loaded)[0]


def test_environment_cannot_add_structure() -> None:
    """A variable holds a value, never a piece of the file."""
    document = good("control: {node: '${env:A}'}", env={"A": "x, target: evil"})
    assert document.control.node == "x, target: evil"
    assert document.control.target == ""


def test_unquoted_reference_in_flow_style_has_a_hint() -> None:
    """Braces inside braces are a common slip."""
    assert 'put quotes around "${env:...}"' in messages(load_text("control: {node: ${env:A}}"))[0]


def test_tabs_have_a_hint() -> None:
    """YAML's own words about tabs help nobody."""
    assert "indent with spaces" in messages(load_text("routes:\n\t- name: a\n"))[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "{a: " * 100_000,
        "- " * 100_000,
        "x: " + "[a," * 200_000,
        "a: [" + "b," * 250_000 + "]",
        "policies: {p: {fallback: [{static: {json: " + "[" * 30 + "]" * 30 + "}}]}}",
        "x: &a [b]\npolicies: {p: &p {<<: *p}}",
        "policies: {p: {fallback: [{static: {json: &a [*a]}}]}}",
    ],
    ids=range(8),
)
def test_depth_and_size_are_limited(text: str) -> None:
    """Nesting, length and circles end with one mistake."""
    assert "SW0003" in [v.code for v in load_text(text).violations]


@pytest.mark.slow
@pytest.mark.parametrize(
    "step",
    [
        "[{0}, {0}, {0}, {0}, {0}, {0}, {0}, {0}]",
        "{{k1: {0}, k2: {0}, k3: {0}, k4: {0}, k5: {0}, k6: {0}, k7: {0}, k8: {0}}}",
        "{{<<: [{0}, {0}, {0}, {0}, {0}, {0}, {0}, {0}]}}",
    ],
)
def test_aliases_unfold_to_a_limit(step: str) -> None:
    """The billion laughs end after some hundred thousand."""
    lines = ["x-0: &a0 {k: v}"] + [f"x-{i}: &a{i} " + step.format(f"*a{i - 1}") for i in range(1, 15)]
    text = "\n".join(lines) + "\npolicies: {p: {fallback: [{static: {json: *a14}}]}}"
    assert [v.code for v in load_text(text).violations] == ["SW0003"]


def test_long_texts_unfold_to_a_limit() -> None:
    """A thousand aliases of a long text are too much memory, though few values."""
    text = (
        "x: &a " + "t" * 100_000 + "\npolicies: {p: {fallback: [{static: {json: [" + "*a," * 1000 + "]}}]}}"
    )
    assert "SW0003" in [v.code for v in load_text(text).violations]


def test_files(tmp_path: Path) -> None:
    """Missing, too large, not UTF-8 and not a file are mistakes of the file, with a byte order mark
    ignored.
    """
    assert [v.code for v in load_file(tmp_path / "gone.yaml").violations] == ["SW0001"]
    assert [v.code for v in load_file(tmp_path).violations] == ["SW0001"]
    large = tmp_path / "large.yaml"
    large.write_bytes(b"#" * (4 * 1024 * 1024 + 1))
    assert [v.code for v in load_file(large).violations] == ["SW0001"]
    latin = tmp_path / "latin.yaml"
    latin.write_bytes(b"version: v1\nx-\xfc: 1\n")
    assert found(load_file(latin)) == [(2, 3, "SW0001", "")]
    marked = tmp_path / "marked.yaml"
    marked.write_bytes(b"\xef\xbb\xbfversion: v1\n")
    assert load_file(marked).document.version == "v1"
    assert load_file("a\0b").violations[0].code == "SW0001"


def test_descriptor_files(tmp_path: Path) -> None:
    """Files are read relative to the policy file, and their content travels with the document."""
    (tmp_path / "shop.binpb").write_bytes(shop_descriptors())
    (tmp_path / "bad.binpb").write_bytes(b"\xff")
    (tmp_path / "empty.binpb").write_bytes(b"")
    file = tmp_path / "policy.yaml"
    file.write_text("version: v1\ndescriptor_files: [shop.binpb]\n")
    loaded = load_file(file)
    assert loaded.violations == ()
    assert loaded.document.descriptor_set == shop_descriptors()
    file.write_text("version: v1\ndescriptor_files: [bad.binpb, gone.binpb, empty.binpb]\n")
    assert [(code, field) for _, _, code, field in found(load_file(file))] == [
        ("SW0011", "descriptor_files[0]"),
        ("SW0011", "descriptor_files[1]"),
        ("SW0011", "descriptor_files[2]"),
    ]


def test_environment_of_the_process_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file is filled in from the process's environment unless another is given."""
    monkeypatch.setenv("SEAWALL_TEST_NODE", "n1")
    file = tmp_path / "policy.yaml"
    file.write_text("control: {target: 'a:1', node: '${env:SEAWALL_TEST_NODE}'}\n")
    assert load_file(file).document.control.node == "n1"
    assert load_file(file, env={"SEAWALL_TEST_NODE": "n2"}).document.control.node == "n2"
