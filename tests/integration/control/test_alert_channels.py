"""Channels over real sockets: mail to a real server, Slack, files, and web servers that do not behave."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
import struct
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from seawall.v1 import admin_alerts_pb2 as pb
from seawall.v1 import admin_events_pb2, event_pb2
from seawall_control.domain.alerts.channels import Channel, ChannelKind, SmtpSecurity
from seawall_control.services.alerting.channels.addresses import Guard, parse_networks
from seawall_control.services.alerting.channels.apprise import AppriseSender
from seawall_control.services.alerting.channels.email import EmailSender
from seawall_control.services.alerting.channels.https import Poster
from seawall_control.services.alerting.channels.local import FileSender
from seawall_control.services.alerting.channels.port import Message, NotSent
from seawall_control.services.alerting.channels.webhook import SlackSender, WebhookSender
from tests.integration.control.kit import Stubs, event, until
from tests.kit.certificates import Authority
from tests.kit.processes import PATIENCE_S, free_port
from tests.kit.receivers import MailReceiver, WebReceiver

pytestmark = pytest.mark.integration

HERE = Guard(parse_networks(["127.0.0.0/8"]))
PLAIN = ssl.create_default_context()
BODY = {"state": "firing", "severity": "high", "title": "T", "summary": "something <!channel> happened"}
MESSAGE = Message("msg_1", 1_800_000_000_000_000, [BODY])
HOOK = Channel(name="c", kind=ChannelKind.WEBHOOK, secret="s" * 16)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Give an authority that nobody knows."""
    return Authority(tmp_path)


def server_side(authority: Authority, name: str = "127.0.0.1") -> ssl.SSLContext:
    """Return a server's side of TLS."""
    pair = authority.issue("server", name)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.cert, pair.key)
    return context


def client_side(authority: Authority) -> ssl.SSLContext:
    """Return the side of somebody who trusts the authority."""
    return ssl.create_default_context(cafile=str(authority.path))


async def refusal(work: Any) -> NotSent:
    """Return how a message failed."""
    with pytest.raises(NotSent) as caught:
        async with asyncio.timeout(PATIENCE_S):
            await work
    return caught.value


# ------------------------------------------------------------------------------------------------------- web


async def test_a_webhook_over_tls(authority: Authority) -> None:
    """The certificate is checked: its name, and whether its authority is trusted."""
    async with WebReceiver(tls=server_side(authority)) as receiver:
        hook = replace(HOOK, url=receiver.url)
        await WebhookSender(Poster(HERE, client_side(authority))).send(hook, MESSAGE)
        assert receiver.posts[0].headers["host"] == f"127.0.0.1:{receiver.port}"
        error = await refusal(WebhookSender(Poster(HERE, PLAIN)).send(hook, MESSAGE))
        assert "certificate is not valid" in str(error)
        assert len(receiver.posts) == 1


async def test_a_name_is_asked_for_in_tls(authority: Authority) -> None:
    """The connection goes to the checked address, and TLS and Host say the name."""

    async def resolve(_host: str, _port: int) -> Sequence[str]:
        return ["127.0.0.1"]

    async with WebReceiver(tls=server_side(authority, "hooks.example")) as receiver:
        guard = Guard(HERE.allowed, resolve)
        hook = replace(HOOK, url=f"https://hooks.example:{receiver.port}/x?y=1")
        await WebhookSender(Poster(guard, client_side(authority))).send(hook, MESSAGE)
        post = receiver.posts[0]
        assert (post.headers["host"], post.target) == (f"hooks.example:{receiver.port}", "/x?y=1")


async def test_a_second_secret_signs_too() -> None:
    """While receivers change over, both signatures are there."""
    async with WebReceiver() as receiver:
        hook = replace(HOOK, url=receiver.url, previous_secret="t" * 16)
        await WebhookSender(Poster(HERE, PLAIN)).send(hook, MESSAGE)
        assert len(receiver.posts[0].headers["webhook-signature"].split(" ")) == 2


@pytest.mark.parametrize(
    ("status", "final"), [(500, False), (503, False), (429, False), (408, False), (404, True), (410, True)]
)
async def test_answers(status: int, final: bool) -> None:
    """Which answers are final."""
    async with WebReceiver(status=status) as receiver:
        error = await refusal(
            WebhookSender(Poster(HERE, PLAIN)).send(replace(HOOK, url=receiver.url), MESSAGE)
        )
        assert (str(error), error.final) == (f"127.0.0.1 answered {status}", final)


async def test_redirects_are_not_followed() -> None:
    """Wherever they lead."""
    async with WebReceiver() as inside, WebReceiver(status=307) as receiver:
        receiver.extra = f"location: {inside.url}\r\n"
        error = await refusal(
            WebhookSender(Poster(HERE, PLAIN)).send(replace(HOOK, url=receiver.url), MESSAGE)
        )
        assert error.final
        assert inside.connections == 0


async def test_a_server_that_talks_without_end() -> None:
    """Headers are read up to a bound."""
    async with WebReceiver(flood=True) as receiver:
        await refusal(WebhookSender(Poster(HERE, PLAIN)).send(replace(HOOK, url=receiver.url), MESSAGE))


async def test_nobody_is_there() -> None:
    """A refused connection may be better later."""
    url = f"http://127.0.0.1:{free_port()}/hook"
    error = await refusal(WebhookSender(Poster(HERE, PLAIN)).send(replace(HOOK, url=url), MESSAGE))
    assert not error.final
    assert "cannot be reached" in str(error)


async def test_a_server_that_is_gone_at_once() -> None:
    """A connection that is reset while it is made is one that may be better later, whenever that was."""

    def reset(server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                peer, _ = server.accept()
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                peer.close()

    with socket.create_server(("127.0.0.1", 0)) as server:
        hook = replace(HOOK, url=f"http://127.0.0.1:{server.getsockname()[1]}/")
        resetting = threading.Thread(target=reset, args=(server,))
        resetting.start()
        for _ in range(50):
            sending = [WebhookSender(Poster(HERE, PLAIN)).send(hook, MESSAGE) for _ in range(8)]
            for error in await asyncio.gather(*sending, return_exceptions=True):
                assert isinstance(error, NotSent), error
                assert not error.final
        server.shutdown(socket.SHUT_RDWR)
        resetting.join(PATIENCE_S)


async def test_private_networks_are_not_reached() -> None:
    """Without leave no connection is made at all."""
    async with WebReceiver() as receiver:
        for url in (receiver.url, receiver.url.replace("127.0.0.1", "localhost")):
            error = await refusal(WebhookSender(Poster(Guard(), PLAIN)).send(replace(HOOK, url=url), MESSAGE))
            assert error.final
        assert receiver.connections == 0


async def test_slack() -> None:
    """A text that calls nobody."""
    async with WebReceiver() as receiver:
        slack = Channel(name="c", kind=ChannelKind.SLACK, url=receiver.url)
        await SlackSender(Poster(HERE, PLAIN)).send(slack, MESSAGE)
        assert receiver.posts[0].json() == {"text": "[HIGH] T\n  something &lt;!channel&gt; happened\n"}


# ------------------------------------------------------------------------------------------------------ mail


def mail_channel(port: int, **fields: Any) -> Channel:
    """Return a channel of mail."""
    values: dict[str, Any] = {
        "name": "c",
        "kind": ChannelKind.EMAIL,
        "host": "127.0.0.1",
        "port": port,
        "security": SmtpSecurity.NONE,
        "sender": "seawall@example.com",
        "recipients": ("a@example.com", "b@example.com"),
        "timeout_s": PATIENCE_S,
        **fields,
    }
    return Channel(**values)


async def test_mail(authority: Authority) -> None:
    """In the clear, with STARTTLS and a login, and over TLS."""
    async with MailReceiver() as server:
        await EmailSender(HERE, PLAIN).send(mail_channel(server.port), MESSAGE)
        (mail,) = server.mails
        assert mail["Subject"] == "[HIGH] T: something <!channel> happened"
        assert (mail["Message-ID"], mail["Auto-Submitted"]) == ("<msg_1@example.com>", "auto-generated")
        assert server.recipients == [["a@example.com", "b@example.com"]]
    tls = client_side(authority)
    async with MailReceiver(starttls=server_side(authority), password="right") as server:
        channel = mail_channel(server.port, security=SmtpSecurity.STARTTLS, user="me", password="right")
        await EmailSender(HERE, tls).send(channel, MESSAGE)
        assert len(server.mails) == 1
        error = await refusal(EmailSender(HERE, tls).send(replace(channel, password="wrong"), MESSAGE))
        assert str(error) == "127.0.0.1 refused the user or password (535)"
        error = await refusal(EmailSender(HERE, PLAIN).send(channel, MESSAGE))
        assert "certificate" in str(error)
    async with MailReceiver(tls=server_side(authority)) as server:
        await EmailSender(HERE, tls).send(mail_channel(server.port, security=SmtpSecurity.TLS), MESSAGE)
        assert len(server.mails) == 1


async def test_mail_servers_that_refuse() -> None:
    """5xx is final, 4xx is not; STARTTLS that is not offered is never done without."""
    async with MailReceiver() as server:
        for answer, final in (("451 later", False), ("554 never", True)):
            server.refuses = answer
            error = await refusal(EmailSender(HERE, PLAIN).send(mail_channel(server.port), MESSAGE))
            assert (str(error), error.final) == (f"127.0.0.1 answered {answer[:3]}", final)
        wanted = mail_channel(server.port, security=SmtpSecurity.STARTTLS)
        error = await refusal(EmailSender(HERE, PLAIN).send(wanted, MESSAGE))
        assert error.final
        assert server.mails == []


@pytest.mark.parametrize("greeting", [b"", b"220 hello\r\n"])
async def test_a_mail_server_that_says_nothing(greeting: bytes) -> None:
    """Cancelling ends the thread, and with it the connection; also one that was not greeted yet."""
    came, left = asyncio.Event(), asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.set()
        writer.write(greeting)
        # Whoever leaves a greeting unread resets the connection.
        with contextlib.suppress(ConnectionError):
            while await reader.read(100):
                pass
        left.set()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    sending = asyncio.ensure_future(
        EmailSender(HERE, PLAIN).send(mail_channel(port, timeout_s=600.0), MESSAGE)
    )
    async with asyncio.timeout(PATIENCE_S):
        await came.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        await left.wait()
    server.close()


# ------------------------------------------------------------------------------------------- files, apprise


async def test_a_file_is_set_aside_when_it_is_full(tmp_path: Path) -> None:
    """One line for each alert, readable by its owner, and no more files than asked for."""
    sender = FileSender(tmp_path / "alerts")
    channel = Channel(name="c", kind=ChannelKind.FILE, file="a.json", max_bytes=400, keep=2)
    for _ in range(12):
        await sender.send(channel, MESSAGE)
    files = sorted(path.name for path in (tmp_path / "alerts").iterdir())
    assert files == ["a.json", "a.json.1", "a.json.2"]
    path = tmp_path / "alerts" / "a.json"
    assert path.stat().st_mode & 0o777 == 0o600
    assert all(json.loads(line)["summary"] == BODY["summary"] for line in path.read_text().splitlines())
    assert all(item.stat().st_size <= 400 for item in (tmp_path / "alerts").iterdir())
    await sender.send(replace(channel, keep=0), MESSAGE)


async def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """A file that is a link to another is not written through."""
    (tmp_path / "alerts").mkdir()
    (tmp_path / "target").write_text("")
    (tmp_path / "alerts" / "a.json").symlink_to(tmp_path / "target")
    channel = Channel(name="c", kind=ChannelKind.FILE, file="a.json")
    error = await refusal(FileSender(tmp_path / "alerts").send(channel, MESSAGE))
    assert "a.json cannot be written" in str(error)
    assert (tmp_path / "target").read_text() == ""


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
async def test_apprise() -> None:
    """Off unless it was turned on; then a service of apprise's is reached."""
    pytest.importorskip("apprise")
    async with WebReceiver() as receiver:
        channel = Channel(name="c", kind=ChannelKind.APPRISE, url=f"json://127.0.0.1:{receiver.port}/x")
        error = await refusal(AppriseSender(is_on=False).send(channel, MESSAGE))
        assert "--alert-apprise" in str(error)
        assert receiver.connections == 0
        await AppriseSender(is_on=True).send(channel, MESSAGE)
        assert "something" in receiver.posts[0].json()["message"]
        receiver.status = 500
        await refusal(AppriseSender(is_on=True).send(channel, MESSAGE))
        await refusal(AppriseSender(is_on=True).send(replace(channel, url="nothing"), MESSAGE))


# ------------------------------------------------------------------------------------------------- together


async def test_routing_by_severity(stubs: Stubs) -> None:
    """Each channel takes what is severe enough; a digest tells of several at once."""
    async with WebReceiver() as everything, WebReceiver() as worst, MailReceiver() as mail:
        settings = [
            pb.Channel(name="all", webhook=pb.WebhookSettings(url=everything.url, secret="s" * 16)),
            pb.Channel(
                name="worst",
                min_severity=event_pb2.SEVERITY_CRITICAL,
                webhook=pb.WebhookSettings(url=worst.url, secret="s" * 16),
            ),
            pb.Channel(
                name="digest",
                immediate_from=event_pb2.SEVERITY_CRITICAL,
                email=pb.EmailSettings(
                    host="127.0.0.1",
                    port=mail.port,
                    security=pb.SMTP_SECURITY_NONE,
                    to=["a@example.com"],
                    **{"from": "seawall@example.com"},
                ),
            ),
        ]
        settings[2].digest.FromSeconds(3)
        for channel in settings:
            await stubs.alerts.CreateChannel(pb.CreateChannelRequest(channel=channel))
        rule = pb.AlertRule(
            name="app/high",
            when=[pb.AlertTrigger(kind=pb.ALERT_TRIGGER_KIND_EVENT, severity=event_pb2.SEVERITY_HIGH)],
            filters=pb.AlertFilters(all=["component = app"], none=["severity = CRITICAL"]),
        )
        await stubs.alerts.CreateAlertRule(pb.CreateAlertRuleRequest(rule=rule))
        events = [event(number, severity=3, component="app") for number in range(3)]
        for number, item in enumerate(events):
            item.fingerprint = f"f{number}"
        events.append(event(9, severity=4, component="other"))
        await stubs.events.ReportEvents(admin_events_pb2.ReportEventsRequest(events=events))

        async def mailed() -> bool:
            return len(mail.mails) >= 2

        def told(receiver: WebReceiver) -> list[str]:
            return sorted(alert["severity"] for post in receiver.posts for alert in post.json()["alerts"])

        async def posted() -> bool:
            return len(told(everything)) >= 4 and bool(told(worst))

        await until(mailed, what="the digest")
        await until(posted, what="the messages of both webhooks")
        assert told(everything) == ["critical", "high", "high", "high"]
        assert told(worst) == ["critical"]
        at_once, digest = sorted(one["Subject"] for one in mail.mails)
        assert at_once.startswith("[CRITICAL] A critical event")
        assert digest == "[Seawall] 3 firing"


# --------------------------------------------------------------------------------------- what tries to get in


def names(*answers: list[str]) -> Guard:
    """Return a guard of this machine's network with a name that answers otherwise each time."""
    left = list(answers)

    async def resolve(_host: str, _port: int) -> list[str]:
        return left.pop(0)

    return Guard(HERE.allowed, resolve)


async def test_a_name_that_flips_is_connected_where_it_was_checked() -> None:
    """The answer that was checked counts, whatever the name would say a moment later; and what it says the
    next time is checked anew.
    """
    async with WebReceiver() as receiver:
        guard = names(["127.0.0.1"], ["169.254.169.254"], ["127.0.0.1", "10.0.0.1"])
        sender = WebhookSender(Poster(guard, PLAIN))
        channel = replace(HOOK, url=receiver.url.replace("127.0.0.1", "flip.example"))
        await sender.send(channel, MESSAGE)
        assert receiver.posts[0].headers["host"] == f"flip.example:{receiver.port}"
        for _ in range(2):
            assert (await refusal(sender.send(channel, MESSAGE))).final
        assert receiver.connections == 1


async def test_no_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would look names up itself, and reach what this machine may not."""
    async with WebReceiver() as receiver, WebReceiver() as proxy:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        await WebhookSender(Poster(HERE, PLAIN)).send(replace(HOOK, url=receiver.url), MESSAGE)
        assert (len(receiver.posts), proxy.connections) == (1, 0)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 10737418240\r\n\r\n" + b"x" * 200_000,
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + b"ffff\r\n" + b"x" * 65_535,
    ],
    ids=["ten gigabytes", "chunks without end"],
)
async def test_an_answer_without_end_costs_nothing(answer: bytes) -> None:
    """Its status is all that is read."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        with contextlib.suppress(ConnectionError):
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with asyncio.timeout(PATIENCE_S):
        await WebhookSender(Poster(HERE, PLAIN)).send(replace(HOOK, url=f"http://127.0.0.1:{port}/"), MESSAGE)
    server.close()


async def test_a_server_that_drips_is_left(stubs: Stubs) -> None:
    """An octet now and then is no answer: the message's time is over, and the channel says so."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            for octet in b"HTTP/1.1 200 OK\r\n" * 100:
                writer.write(bytes([octet]))
                await writer.drain()
                await asyncio.sleep(0.2)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    channel = pb.Channel(
        name="slow", webhook=pb.WebhookSettings(url=f"http://127.0.0.1:{port}/", secret="s" * 16)
    )
    channel.timeout.FromSeconds(1)
    await stubs.alerts.CreateChannel(pb.CreateChannelRequest(channel=channel))
    answer = await stubs.alerts.TestChannel(pb.TestChannelRequest(name="slow"))
    assert "no answer within 1 s" in answer.error
    assert answer.took.ToTimedelta().total_seconds() < 100, "the whole answer takes six minutes"
    server.close()
