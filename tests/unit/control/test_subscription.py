"""A proxy's subscription: nonces, answers, refusals, resumption, deadlines."""

from __future__ import annotations

from seawall_control.domain.subscription import (
    ANSWER_LIMIT_S,
    Accepted,
    Answered,
    Overdue,
    Published,
    Push,
    Refused,
    Stray,
    Subscription,
    Unanswered,
)


def test_each_push_has_its_own_nonce() -> None:
    """Nonces count pushes of one stream, from 1."""
    machine = Subscription()
    assert machine.handle(Published(5, "a"), now=0) == (Push(1, 5, "a"),)
    assert machine.handle(Answered(1, accepted=True, applied_hash="a"), now=0) == (Accepted(5, "a"),)
    assert machine.handle(Published(6, "b"), now=0) == (Push(2, 6, "b"),)


def test_proxy_that_has_the_revision_is_not_sent_it() -> None:
    """A revision that is in effect already is not sent again."""
    machine = Subscription(applied_revision=3, applied_hash="a")
    assert machine.handle(Published(3, "a"), now=0) == ()


def test_equal_content_under_a_newer_number_is_sent() -> None:
    """A proxy that started from a file with the newest content learns the revision's number."""
    machine = Subscription(applied_revision=0, applied_hash="a")
    assert machine.handle(Published(1, "a"), now=0) == (Push(1, 1, "a"),)
    assert machine.handle(Answered(1, accepted=True, applied_hash="a"), now=0) == (Accepted(1, "a"),)
    assert machine.applied_revision == 1


def test_only_the_newest_of_what_was_published_meanwhile_is_sent() -> None:
    """One push is under way at a time."""
    machine = Subscription()
    machine.handle(Published(1, "a"), now=0)
    assert machine.handle(Published(2, "b"), now=0) == ()
    assert machine.handle(Published(3, "c"), now=0) == ()
    assert machine.handle(Answered(1, accepted=True, applied_hash="a"), now=0) == (
        Accepted(1, "a"),
        Push(2, 3, "c"),
    )


def test_refused_content_waits_for_a_change() -> None:
    """The same content is not sent again under another revision number; other content is."""
    machine = Subscription(applied_revision=1, applied_hash="a")
    machine.handle(Published(2, "b"), now=0)
    answer = Answered(1, accepted=False, reasons=("why",), applied_revision=1, applied_hash="a")
    assert machine.handle(answer, now=0) == (Refused(2, "b", ("why",)),)
    assert machine.handle(Published(3, "b"), now=0) == ()
    assert machine.handle(Published(4, "c"), now=0) == (Push(2, 4, "c"),)
    assert (machine.applied_revision, machine.applied_hash, machine.refused) == (1, "a", ("b",))


def test_refused_content_is_sent_once_more_when_it_is_asked_for() -> None:
    """Whoever applies refused content again gets one more answer to it, not more."""
    machine = Subscription(applied_revision=1, applied_hash="a")
    machine.handle(Published(2, "b"), now=0)
    machine.handle(Answered(1, accepted=False, reasons=("why",)), now=0)
    machine.forget_refusal("b")
    assert machine.handle(Published(2, "b"), now=0) == (Push(2, 2, "b"),)
    machine.handle(Answered(2, accepted=False, reasons=("why",)), now=0)
    assert machine.handle(Published(2, "b"), now=0) == ()


def test_refusals_of_earlier_streams_are_remembered() -> None:
    """A stream that resumes a run of a proxy starts with what that run refused."""
    machine = Subscription(refused=("b",))
    assert machine.handle(Published(2, "b"), now=0) == ()


def test_stale_or_unknown_nonce_teaches_nothing() -> None:
    """Answers that belong to no waiting push change nothing."""
    machine = Subscription()
    machine.handle(Published(1, "a"), now=0)
    assert machine.handle(Answered(7, accepted=True, applied_hash="a"), now=0) == (Stray(7),)
    assert machine.is_pending
    machine.handle(Answered(1, accepted=True, applied_hash="a"), now=0)
    assert machine.handle(Answered(1, accepted=False), now=0) == (Stray(1),)
    assert machine.applied_hash == "a"


def test_older_revision_never_takes_the_place_of_a_newer() -> None:
    """Publishing is a race between readers of the store; the higher number wins."""
    machine = Subscription()
    machine.handle(Published(2, "b"), now=0)
    machine.handle(Published(1, "a"), now=0)
    assert machine.handle(Answered(1, accepted=True, applied_hash="b"), now=0) == (Accepted(2, "b"),)


def test_silent_proxy_may_get_newer_content_after_the_limit() -> None:
    """After the limit newer content goes out, the same does not; a late answer still counts if it is to the
    last push.
    """
    machine = Subscription()
    machine.handle(Published(1, "a"), now=100)
    assert machine.next_deadline() == 100 + ANSWER_LIMIT_S
    assert machine.handle(Overdue(), now=100 + ANSWER_LIMIT_S - 0.1) == ()
    assert machine.handle(Overdue(), now=100 + ANSWER_LIMIT_S) == (Unanswered(Push(1, 1, "a")),)
    assert machine.handle(Published(2, "a"), now=111) == ()
    assert machine.handle(Published(3, "b"), now=112) == (Push(2, 3, "b"),)
    assert machine.handle(Answered(1, accepted=True, applied_hash="a"), now=113) == (Stray(1),)
    assert machine.handle(Answered(2, accepted=True, applied_hash="b"), now=113) == (Accepted(3, "b"),)


def test_acceptance_with_other_content_in_effect_is_a_refusal() -> None:
    """Who says ACK and has something else in effect must not be sent the same for ever."""
    machine = Subscription()
    machine.handle(Published(1, "a"), now=0)
    (refused,) = machine.handle(Answered(1, accepted=True, applied_revision=9, applied_hash="z"), now=0)
    assert isinstance(refused, Refused) and "instead of a" in refused.reasons[0]
    assert machine.handle(Published(2, "a"), now=0) == ()


def test_repr_is_a_status_line() -> None:
    """The state reads as a line."""
    machine = Subscription(applied_revision=1, applied_hash="a")
    machine.handle(Published(2, "b"), now=0)
    assert repr(machine) == "<Subscription in effect 1, newest 2, waits for answer 1, 0 refused>"


def test_a_push_that_was_not_sent_is_not_waited_for() -> None:
    """Its revision was nobody's any more; the next one is sent at once, with a nonce of its own."""
    machine = Subscription()
    (push,) = machine.handle(Published(1, "a"), now=0.0)
    assert isinstance(push, Push)
    machine.withdraw(push.nonce + 1)
    assert machine.is_pending
    machine.withdraw(push.nonce)
    assert not machine.is_pending
    assert machine.next_deadline() is None
    assert machine.handle(Published(2, "b"), now=0.0) == (Push(push.nonce + 1, 2, "b"),)
