"""Changes whose answers are lost on the way: the client and the command line ask once more, and each is made
once.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from seawall.client import AsyncSeawall, Credentials, NotPossibleNow, Seawall, Unreachable, repeating
from seawall.v1 import admin_alerts_pb2 as alerts_pb
from seawall.v1 import admin_healing_pb2 as pb
from seawall.v1 import admin_operations_pb2 as operations_pb
from tests.kit.link import Link
from tests.kit.processes import ROOT, environment, free_port, wait_until
from tests.kit.stand import Control, Stand

pytestmark = pytest.mark.integration

SET = "/seawall.v1.HealingService/SetRunbook"


def runbook() -> pb.SetRunbookRequest:
    """Return a request that makes a new version each time that it is carried out."""
    made = pb.Runbook(name="mine", condition="error_rate", threshold=0.5, action="free_memory")
    return pb.SetRunbookRequest(runbook=made)


class Way:
    """A control plane, and a way to it on which answers are lost."""

    def __init__(self, stand: Stand) -> None:
        self._stand = stand
        self.port = free_port()
        self.control = self.start()
        self.link = Link(self.port).start()

    def start(self) -> Control:
        """Start the control plane."""
        return self._stand.control(grpc=f"127.0.0.1:{self.port}")

    @property
    def target(self) -> str:
        """The address of the way."""
        return self.link.address

    def answers(self) -> int:
        """Return how many answers the store has kept."""
        (path,) = (self._stand.folder / "control").glob("*.db")
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            bodies = database.execute("SELECT body FROM documents WHERE kind = 'request'").fetchall()
        return sum(1 for (body,) in bodies if json.loads(body)[4])

    def versions(self) -> str:
        """Return how many times the runbook was made."""
        with Seawall(f"127.0.0.1:{self.port}", credentials=Credentials()) as direct:
            method, asked = "/seawall.v1.HealingService/GetRunbook", pb.GetRunbookRequest(name="mine")
            return direct.call(method, asked, pb.GetRunbookResponse).runbook.etag

    def without_answer(
        self,
        ask: Callable[[], Any],
        then: Callable[[], None],
        said: bytes = b"free_memory",
        made: Callable[[], int] | None = None,
    ) -> Any:
        """Ask, and let nothing come back from what was `said` on; when the change is made and answered, do
        something. Return what was heard in the end, or what was raised. `made` counts changes whose answers
        are not kept.
        """
        count = made or self.answers
        before, heard = count(), []

        def work() -> None:
            try:
                heard.append(ask())
            except Exception as error:  # noqa: BLE001 - it is what is looked at
                heard.append(error)

        self.link.weather.mute_after = said
        asking = threading.Thread(target=work)
        asking.start()
        try:
            wait_until(lambda: count() > before, "the change is made", 120)
        finally:
            then()
            asking.join(300)
        assert not asking.is_alive()
        return heard[0]

    def cut(self) -> None:
        """Lose the connection with the answer on it; the next one is good."""
        self.link.weather.mute_after = b""
        self.link.cut(reset=True)

    def restart(self) -> None:
        """Kill the control plane and start it again."""
        self.control.child.kill()
        self.cut()
        self.control = self.start()


@pytest.fixture
def way(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> Iterator[Way]:
    """Give one. The second time may take as long as a start does on a busy machine."""
    monkeypatch.setattr(repeating, "AGAIN_S", 240.0)
    made = Way(stand)
    yield made
    made.link.close()


@pytest.mark.parametrize("how", ["cut", "restart"])
def test_a_change_is_made_once(way: Way, how: str) -> None:
    """Its answer is the first one, whether the connection or the whole control plane was lost."""
    with Seawall(way.target, timeout_s=240.0, credentials=Credentials()) as seawall:
        assert not list(seawall.operations.proxies())
        heard = way.without_answer(
            lambda: seawall.call(SET, runbook(), pb.SetRunbookResponse), getattr(way, how)
        )
        assert isinstance(heard, pb.SetRunbookResponse), heard
        assert heard.runbook.etag == way.versions() == "1"
        # Another call is another change.
        assert seawall.call(SET, runbook(), pb.SetRunbookResponse).runbook.etag == "2"


def test_so_it_is_with_asyncio(way: Way) -> None:
    """The twin does the same."""
    import asyncio

    async def ask() -> pb.SetRunbookResponse:
        async with AsyncSeawall(way.target, timeout_s=240.0, credentials=Credentials()) as seawall:
            return await seawall.call(SET, runbook(), pb.SetRunbookResponse)

    heard = way.without_answer(lambda: asyncio.run(ask()), way.cut)
    assert isinstance(heard, pb.SetRunbookResponse), heard
    assert heard.runbook.etag == way.versions() == "1"


def test_so_it_is_on_the_command_line(way: Way, tmp_path: Path) -> None:
    """Nobody has to say an id."""
    file = tmp_path / "mine.yaml"
    file.write_text("{name: mine, condition: error_rate, threshold: 0.5, action: free_memory}\n")
    command = ["-m", "seawall", "heal", "set", str(file), "--control", way.target]

    def ask() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *command],
            cwd=ROOT,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    heard = way.without_answer(ask, way.cut)
    assert isinstance(heard, subprocess.CompletedProcess), heard
    assert (heard.returncode, "mine is in force" in heard.stderr) == (0, True), heard.stderr
    assert way.versions() == "1"


def test_what_is_known_by_what_it_made_is_made_once(way: Way) -> None:
    """A revision, over a restart of the control plane; the way back to one, a silence and an operation."""
    policy = {
        "version": "v1",
        "clusters": [{"name": "c", "endpoints": [{"address": "127.0.0.1:1"}]}],
        "routes": [{"name": "r", "cluster": "c"}],
    }
    silence = alerts_pb.Silence(author="ann", reason="lost-silence", rules=["builtin/*"])
    silence.end_time.GetCurrentTime()
    silence.end_time.seconds += 3600
    alerts, started = "/seawall.v1.AlertService", "/seawall.v1.FleetOperationService"
    operation = operations_pb.StartOperationRequest(actor="ann", reason="lost-operation")
    operation.action.reset_breaker.breaker = "b"
    operation.duration.FromSeconds(3600)
    with (
        Seawall(way.target, timeout_s=240.0, credentials=Credentials()) as seawall,
        Seawall(f"127.0.0.1:{way.port}", credentials=Credentials()) as direct,
    ):

        def revisions() -> int:
            return len(list(direct.policies.history()))

        def silences() -> int:
            asked, answer = alerts_pb.ListSilencesRequest(), alerts_pb.ListSilencesResponse
            return len(direct.call(f"{alerts}/ListSilences", asked, answer).silences)

        def operations() -> int:
            asked, answer = operations_pb.ListOperationsRequest(), operations_pb.ListOperationsResponse
            return len(direct.call(f"{started}/ListOperations", asked, answer).operations)

        def lost(ask: Callable[[], Any], said: bytes, made: Callable[[], int], then: Any = way.cut) -> Any:
            heard = way.without_answer(ask, then, said, made)
            assert not isinstance(heard, Exception), heard
            return heard

        first = lost(
            lambda: seawall.policies.apply(policy, message="lost-apply"),
            b"lost-apply",
            revisions,
            way.restart,
        )
        assert (first.revision.revision, first.changed, revisions()) == (1, True, 1)
        policy["routes"][0]["name"] = "s"  # type: ignore[index]
        seawall.policies.apply(policy)
        back = lost(lambda: seawall.policies.rollback(message="lost-back"), b"lost-back", revisions)
        assert (back.revision, back.rollback_of, revisions()) == (3, 1, 3)
        request = alerts_pb.CreateSilenceRequest(silence=silence)
        answer = alerts_pb.CreateSilenceResponse
        lost(lambda: seawall.call(f"{alerts}/CreateSilence", request, answer), b"lost-silence", silences)
        assert silences() == 1
        begun = operations_pb.StartOperationResponse
        lost(
            lambda: seawall.call(f"{started}/StartOperation", operation, begun), b"lost-operation", operations
        )
        assert operations() == 1


def test_a_secret_that_was_lost_is_said_to_be(way: Way) -> None:
    """A second token would be one that nobody knows of; now there is one, by name, to be revoked."""
    with Seawall(way.target, timeout_s=240.0, credentials=Credentials()) as seawall:
        heard = way.without_answer(lambda: seawall.access.create_token("lost"), way.cut, b"lost")
        assert isinstance(heard, NotPossibleNow), heard
        assert heard.reason == "REQUEST_UNANSWERED" and "it holds a secret" in str(heard)
        assert [token.name for token in seawall.access.tokens()] == ["lost"]


def test_where_nobody_comes_back_it_is_said(way: Way) -> None:
    """That it may have been made, and the id with which it can be asked for again, a day long."""
    with Seawall(way.target, timeout_s=20.0, credentials=Credentials()) as seawall:

        def gone() -> None:
            way.control.child.kill()
            way.cut()

        heard = way.without_answer(lambda: seawall.call(SET, runbook(), pb.SetRunbookResponse), gone)
        assert isinstance(heard, Unreachable), heard
        assert "the change may have been made" in str(heard)
        way.control = way.start()
        request = runbook()
        request.request_id = heard.metadata["request_id"]
        wait_until(lambda: _reached(seawall), "there is a connection again", 120)
        assert seawall.call(SET, request, pb.SetRunbookResponse).runbook.etag == "1"
        assert way.versions() == "1"


def _reached(seawall: Seawall) -> bool:
    try:
        return not list(seawall.operations.proxies())
    except Unreachable:
        return False


def test_what_was_never_sent_is_not_asked_again(way: Way) -> None:
    """Nobody is there, and whoever asked hears so at once."""
    way.control.child.kill()
    with Seawall(f"127.0.0.1:{way.port}", credentials=Credentials()) as seawall:
        with pytest.raises(Unreachable, match="cannot reach") as caught:
            seawall.call(SET, runbook(), pb.SetRunbookResponse)
        assert not caught.value.sent
        assert "request_id" not in caught.value.metadata
