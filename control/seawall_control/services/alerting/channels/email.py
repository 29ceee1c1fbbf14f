"""Mail by SMTP, over TLS or with STARTTLS, in a thread of its own that ends with the message."""

from __future__ import annotations

import asyncio
import contextlib
import smtplib
import socket
import ssl
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from functools import partial
from threading import Lock

from seawall_control.domain.alerts.channels import Channel, SmtpSecurity
from seawall_control.domain.alerts.messages import headline, text_of
from seawall_control.domain.events import MICROS
from seawall_control.services.alerting.channels.addresses import MAIL_PORTS, Guard, checked_host
from seawall_control.services.alerting.channels.port import Message, NotSent
from seawall_control.services.alerting.channels.threads import in_own_thread


def mail_of(channel: Channel, message: Message) -> EmailMessage:
    """Return a message as a mail."""
    mail = EmailMessage()
    mail["From"] = channel.sender
    mail["To"] = ", ".join(channel.recipients)
    mail["Subject"] = headline(message.bodies)[:200]
    mail["Date"] = format_datetime(datetime.fromtimestamp(message.at_us // MICROS, UTC))
    mail["Message-ID"] = f"<{message.id}@{channel.sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(text_of(message.bodies))
    return mail


class _Cord:
    """Ends a connection from outside of its thread, from the moment that it stands: also one that has not
    been greeted yet. It has a descriptor of its own, since STARTTLS takes the socket's away.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._sock: socket.socket | None = None
        self._is_cut = False

    def hold(self, sock: socket.socket) -> None:
        """Be able to end this one. Raise `ConnectionAbortedError` when that is wanted already."""
        with self._lock:
            if self._is_cut:
                raise ConnectionAbortedError("the delivery was given up")
            self._sock = sock.dup()

    def cut(self) -> None:
        """End it, or what is connected from now on."""
        with self._lock:
            self._is_cut = True
            if self._sock is not None:
                with contextlib.suppress(OSError):
                    self._sock.shutdown(socket.SHUT_RDWR)

    def let_go(self) -> None:
        """The thread is done with the connection."""
        with self._lock:
            if self._sock is not None:
                self._sock.close()
                self._sock = None


class _Connection(smtplib.SMTP):
    """Goes to an address that was checked, and says the name that it was asked for in TLS."""

    def __init__(
        self, address: str, tls: ssl.SSLContext | None, host: str, port: int, timeout_s: float, cord: _Cord
    ) -> None:
        self._address = address
        self._at_once = tls
        self._named = host
        self._cord = cord
        super().__init__(host, port, local_hostname="seawall", timeout=timeout_s)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        plain = socket.create_connection((self._address, port), timeout)
        try:
            self._cord.hold(plain)
            if self._at_once is None:
                return plain
            return self._at_once.wrap_socket(plain, server_hostname=self._named)
        except BaseException:
            plain.close()
            raise


class EmailSender:
    """Sends mails."""

    def __init__(self, guard: Guard, tls: ssl.SSLContext) -> None:
        self._guard = guard
        self._tls = tls

    async def send(self, channel: Channel, message: Message) -> None:
        host = checked_host(channel.host)
        # Mail servers without TLS are left to networks that were allowed.
        secure = channel.security is not SmtpSecurity.NONE
        found = await self._guard.addresses(host, channel.port, ports=MAIL_PORTS, is_tls=secure)
        cord = _Cord()
        try:
            await in_own_thread(
                partial(self._deliver, channel, host, found[0], mail_of(channel, message), cord)
            )
        except asyncio.CancelledError:
            cord.cut()
            raise

    def _deliver(self, channel: Channel, host: str, address: str, mail: EmailMessage, cord: _Cord) -> None:
        at_once = self._tls if channel.security is SmtpSecurity.TLS else None
        try:
            with _Connection(address, at_once, host, channel.port, channel.timeout_s, cord) as connection:
                if channel.security is SmtpSecurity.STARTTLS:
                    connection.starttls(context=self._tls)
                if channel.user:
                    connection.login(channel.user, channel.password)
                refused = connection.send_message(mail)
        except smtplib.SMTPAuthenticationError as error:
            raise NotSent(f"{host} refused the user or password ({error.smtp_code})") from None
        except smtplib.SMTPResponseException as error:
            raise NotSent(f"{host} answered {error.smtp_code}", final=500 <= error.smtp_code < 600) from None
        except smtplib.SMTPRecipientsRefused as error:
            codes = sorted({code for code, _ in error.recipients.values()})
            raise NotSent(
                f"{host} refused every recipient ({', '.join(map(str, codes))})",
                final=all(code >= 500 for code in codes),
            ) from None
        except smtplib.SMTPNotSupportedError:
            raise NotSent(
                f"{host} does not offer STARTTLS or the login that is asked for", final=True
            ) from None
        except ssl.SSLCertVerificationError as error:
            raise NotSent(f"the certificate of {host} is not valid: {error.verify_message}") from None
        except (OSError, smtplib.SMTPException) as error:
            raise NotSent(f"{host} cannot be reached ({type(error).__name__})") from None
        finally:
            cord.let_go()
        if refused:
            raise NotSent(
                f"{host} refused {len(refused)} of {len(channel.recipients)} recipients", final=True
            )
