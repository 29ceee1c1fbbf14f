"""Any of the services that the package `apprise` knows (the extra `alerts`), each named by a URL of its own.

apprise opens its own connections, so the guard of addresses.py does not hold here: the kind is refused unless
whoever runs the control plane has turned it on.
"""

from __future__ import annotations

import importlib
from functools import partial
from typing import Any

from seawall_control.domain.alerts.channels import Channel
from seawall_control.domain.alerts.messages import headline, text_of
from seawall_control.services.alerting.channels.port import Message, NotSent
from seawall_control.services.alerting.channels.threads import in_own_thread


class AppriseSender:
    """Sends through apprise."""

    def __init__(self, *, is_on: bool) -> None:
        self._is_on = is_on

    async def send(self, channel: Channel, message: Message) -> None:
        if not self._is_on:
            raise NotSent(
                "channels of the kind apprise are off, since they may reach any network; whoever runs the "
                "control plane turns them on with --alert-apprise",
                final=True,
            )
        title, body = headline(message.bodies), text_of(message.bodies)
        await in_own_thread(partial(_notify, channel.url, title, body))


def _notify(url: str, title: str, body: str) -> None:
    # The import alone takes seconds: apprise loads all of its services at once.
    try:
        apprise: Any = importlib.import_module("apprise")
    except ImportError:
        raise NotSent("apprise is not installed; `pip install 'seawall[alerts]'`", final=True) from None
    client = apprise.Apprise()
    if not client.add(url):
        raise NotSent("apprise does not understand the URL", final=True)
    if not client.notify(title=title, body=body):
        raise NotSent("apprise could not deliver it")
