"""What a policy is with everything that it extends."""

from __future__ import annotations

from seawall_policy import status
from seawall_policy.model import Policy
from tests.unit.compile.samples import compiled, errors, message


def policy(text: str) -> Policy:
    """Return the compiled policy `child` of a document."""
    result = compiled(text + "\nroutes: [{name: r, cluster: shop, policy: child}]")
    assert result.snapshot is not None, result.violations
    return result.snapshot.routes[0].policy


def test_own_settings_win_one_by_one() -> None:
    """A child that changes one number of a message keeps the parent's others."""
    child = policy("""
policies:
  parent: {timeout: 2s, retry: {max_attempts: 4, only_idempotent: false, backoff: {initial: 10ms, max: 80ms}},
           breaker: {min_calls: 7, open_for: 9s}}
  child: {extends: parent, retry: {backoff: {max: 40ms}}, breaker: {min_calls: 3}}
""")
    assert child.timeout_s == 2.0
    assert child.retry.max_attempts == 4
    assert not child.retry.only_idempotent
    assert (child.retry.initial_s, child.retry.max_s) == (0.01, 0.04)
    assert child.breaker is not None
    assert (child.breaker.min_calls, child.breaker.open_for_s) == (3, 9.0)


def test_a_duration_is_replaced_as_a_whole() -> None:
    """A child's 2s over a parent's 1.5s is 2s, not 2.5s."""
    child = policy("policies: {parent: {timeout: 1.5s}, child: {extends: parent, timeout: 2s}}")
    assert child.timeout_s == 2.0


def test_lists_are_replaced_as_a_whole() -> None:
    """A child's codes stand alone."""
    child = policy("""
policies:
  parent: {retry: {max_attempts: 2, only_idempotent: false, codes: [UNAVAILABLE, ABORTED]}}
  child: {extends: parent, retry: {codes: [INTERNAL]}}
""")
    assert child.retry.codes == 1 << status.INTERNAL


def test_zero_and_false_of_a_child_count() -> None:
    """An explicit 0 or false is a setting, not silence."""
    child = policy("""
policies:
  parent: {retry: {max_attempts: 2, only_idempotent: true}, breaker: {consecutive: 5}}
  child: {extends: parent, retry: {only_idempotent: false}, breaker: {consecutive: 0}}
""")
    assert not child.retry.only_idempotent
    assert child.breaker is not None
    assert child.breaker.consecutive == 0


def test_grandparents_count() -> None:
    """Inheritance goes all the way up."""
    child = policy("policies: {a: {timeout: 3s}, b: {extends: a, retry: {}}, child: {extends: b}}")
    assert child.timeout_s == 3.0


def test_builtin_policies_can_be_extended() -> None:
    """A policy may extend a built-in one and change a part of it."""
    child = policy("policies: {child: {extends: builtin/read, timeout: 20s}}")
    assert child.timeout_s == 20.0
    assert child.per_try_timeout_s == 3.0
    assert child.retry.max_attempts == 3


def test_extending_does_not_change_the_parent() -> None:
    """The parent stays what it was for its own routes."""
    result = compiled("""
policies: {parent: {timeout: 1s}, child: {extends: parent, timeout: 2s}}
routes: [{name: a, cluster: shop, policy: parent}, {name: b, cluster: shop, policy: child}]
""")
    assert result.snapshot is not None
    assert [route.policy.timeout_s for route in result.snapshot.routes] == [1.0, 2.0]


def test_cycles_are_reported_by_their_members() -> None:
    """Each policy of a cycle is told, and one that only leads into it is not."""
    result = compiled("""
policies: {a: {extends: b}, b: {extends: a}, c: {extends: a}, d: {extends: d}}
routes: [{name: r, cluster: shop, policy: c}]
""")
    assert sorted(errors(result)) == [
        ("policies.a.extends", "SW0204"),
        ("policies.b.extends", "SW0204"),
        ("policies.d.extends", "SW0204"),
    ]


def test_unknown_parent_has_a_suggestion() -> None:
    """A misspelt parent is reported with the nearest name."""
    result = compiled("policies: {p: {extends: builtin/reed}}\nroutes: [{name: r, cluster: shop, policy: p}]")
    assert errors(result) == [("policies.p.extends", "SW0203")]
    assert "Did you mean builtin/read?" in message(result, "SW0203")


def test_long_lines_of_inheritance_are_refused() -> None:
    """Seventeen policies in a row are more than anybody can follow."""
    chain = "\n".join(f"  p{i}: {{extends: p{i + 1}}}" for i in range(17))
    result = compiled(f"policies:\n{chain}\n  p17: {{}}\nroutes: [{{name: r, cluster: shop, policy: p0}}]")
    assert {code for _, code in errors(result)} == {"SW0113"}


def test_reserved_names_are_refused() -> None:
    """A document cannot replace a built-in policy."""
    result = compiled("policies: {builtin/standard: {timeout: 1s}}\nroutes: [{name: r, cluster: shop}]")
    assert errors(result) == [("policies.builtin/standard", "SW0205")]
