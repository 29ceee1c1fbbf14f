"""Puts the gate in front of every HTTP endpoint.

An endpoint says what it asks of its callers: `calls` names the RPC that it is another form of, `takes` a role
of its own, `open_to_all` nothing. One that says nothing is refused to everybody, like an RPC without a role.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, TypeVar

from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from seawall_control.api.caller import ServedCall, serving
from seawall_control.api.errors import status_name
from seawall_control.api.gate import Gate, Presented
from seawall_control.api.http.answers import error_response
from seawall_control.domain.access import MethodAccess, Role
from seawall_control.domain.errors import ControlError

E = TypeVar("E", bound=Callable[..., Any])

_ATTRIBUTE: Final = "seawall_access"
_CHANGING: Final = frozenset({Role.OPERATOR, Role.EDITOR, Role.ADMIN})
_ANY_ROLE: Final = MethodAccess(Role.VIEWER, changes=False)


@dataclass(frozen=True, slots=True)
class Asked:
    """What an endpoint asks of its callers."""

    rpc: str = ""
    role: Role = Role.NONE
    everybody: bool = False
    named_by_path: bool = False
    """The path names the RPC: `.../{service}/{method}`."""


def calls(rpc: str, endpoint: E) -> E:
    """Let those call the endpoint who may call the RPC (`/seawall.v1.Service/Method`)."""
    setattr(endpoint, _ATTRIBUTE, Asked(rpc=rpc))
    return endpoint


def calls_by_path(endpoint: E) -> E:
    """Let those call the endpoint who may call the RPC that the path names."""
    setattr(endpoint, _ATTRIBUTE, Asked(named_by_path=True))
    return endpoint


def takes(role: Role, endpoint: E) -> E:
    """Let those call the endpoint who have the role."""
    setattr(endpoint, _ATTRIBUTE, Asked(role=role))
    return endpoint


def open_to_all(endpoint: E) -> E:
    """Let everybody call the endpoint, without a credential."""
    setattr(endpoint, _ATTRIBUTE, Asked(everybody=True))
    return endpoint


def asked_by(route: BaseRoute) -> Asked:
    """Return what a route's endpoint asks; nothing said is nobody let in."""
    found = getattr(getattr(route, "endpoint", None), _ATTRIBUTE, None)
    return found if isinstance(found, Asked) else Asked()


class Access:
    """Admits or refuses each request before its endpoint sees anything of it."""

    def __init__(
        self,
        app: ASGIApp,
        routes: Sequence[BaseRoute],
        gate: Gate,
        methods: Mapping[str, MethodAccess],
        open_paths: frozenset[str] = frozenset(),
    ) -> None:
        """`methods` are the RPCs by path; `open_paths` those of pages that ask for no credential here."""
        self._app = app
        self._open_paths = open_paths
        self._routes = routes
        self._gate = gate
        self._methods = methods

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        name, access, everybody = self._wanted(scope)
        if everybody:
            await self._app(scope, receive, send)
            return
        try:
            call = await self._gate.admit(name, access, _presented(scope))
        except Exception as error:  # noqa: BLE001 - the table decides
            await _refuse(error, scope, receive, send)
            return
        call.resource["path"] = str(scope["path"])
        await self._serve(call, scope, receive, send)

    def _wanted(self, scope: Scope) -> tuple[str, MethodAccess | None, bool]:
        """Return the name of what is called, what it asks, and whether it asks nothing."""
        name = f"{scope.get('method', 'WEBSOCKET')} {scope['path']}"
        for route in self._routes:
            match, inside = route.matches(scope)
            if match is Match.FULL:
                asked = asked_by(route)
                if asked.named_by_path:
                    rpc = "/{service}/{method}".format(**inside["path_params"])
                    # A name that nobody serves is said to those who may look, as a page that is not there.
                    return rpc, self._methods.get(rpc, _ANY_ROLE), False
                if asked.rpc:
                    return asked.rpc, self._methods.get(asked.rpc), False
                changes = asked.role in _CHANGING and scope.get("method") != "GET"
                return (
                    name,
                    MethodAccess(asked.role, changes=changes),
                    (asked.everybody or scope["path"] in self._open_paths),
                )
        # No such page, or not with this method: said to those who may look, so that nobody else learns what
        # there is.
        return name, _ANY_ROLE, False

    async def _serve(self, call: ServedCall, scope: Scope, receive: Receive, send: Send) -> None:
        status = 0
        closed = False

        async def watched(message: Message) -> None:
            nonlocal status, closed
            if message["type"] == "http.response.start":
                status = int(message["status"])
                # Before the caller hears of it: a change that was answered is on record.
                outcome, reason = call.failure
                if not outcome:
                    outcome = "OK" if status < HTTPStatus.BAD_REQUEST else status_name(status)
                await self._gate.finished(call, outcome, reason)
            closed = closed or message["type"] == "websocket.close"
            await send(message)

        with serving(call):
            try:
                await self._gate.while_valid(call.caller, self._app(scope, receive, watched))
            except ControlError as error:
                # The credential of a stream has ended. Half an answer cannot be taken back; it is cut off.
                if scope["type"] == "websocket":
                    if not closed:
                        await send(_closing(error))
                elif status == 0:
                    await _refuse(error, scope, receive, send)
            except BaseException:
                if status == 0:
                    await self._gate.finished(call, "CANCELLED")
                raise


def _presented(scope: Scope) -> Presented:
    given = [value.decode("latin-1") for key, value in scope["headers"] if key == b"authorization"]
    host, port = scope["client"] or ("", 0)
    server: tuple[str, int | None] = scope["server"] or ("", 0)
    return Presented(
        authorization=given[0] if len(given) == 1 else "several" if given else "",
        host=host,
        port=port,
        server_port=server[1] or 0,
    )


def _closing(error: Exception) -> Message:
    """Return the end of a WebSocket: 1008 is a violation of policy (RFC 6455, 7.4.1)."""
    return {"type": "websocket.close", "code": 1008, "reason": str(error)[:100]}


async def _refuse(error: Exception, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        # Before it is accepted this is 403 to the peer.
        await send(_closing(error))
        return
    response = error_response(error)
    if response.status_code == HTTPStatus.UNAUTHORIZED:
        response.headers["www-authenticate"] = 'Bearer realm="seawall"'
    await response(scope, receive, send)
