"""The matrix: every client with every server, each case direct and through a real proxy process, in plain
text, with TLS and with TLS on both sides.

    python -m tests.interop.matrix --scale full

A case counts when it passes direct; the proxy must then pass it too. What is skipped is said with its reason.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seawall.v1 import policy_pb2
from tests.interop import certs
from tests.interop.gaps import gap
from tests.interop.peers import ALL_PEERS, Setting, run_client, serving, why_not
from tests.interop.python.cases import CASES
from tests.interop.python.schema import generate
from tests.interop.python.transport import SERVER_NAME, TRANSPORTS
from tests.kit.processes import wait_until
from tests.kit.stand import Proxy, Stand

PATHS = ("direct", "proxy")
AT_ONCE = 2
"""Pairs at once; more only makes the cases that measure time unsteady on a small machine."""
LIMITS_S = {"short": 120.0, "full": 900.0}

POLICY = {
    "timeout": "120s",
    # Cases that are about failures must not open a breaker in front of the others.
    "breaker": {"mode": "off"},
    # A server that refuses a stream twice in a row (C-core, while it still counts ended ones) gets it a third
    # time.
    "retry": {"max_attempts": 4, "codes": ["UNAVAILABLE"]},
}


@dataclass(frozen=True)
class Cell:
    """One case of one pair over one transport."""

    transport: str
    client: str
    server: str
    case: str


@dataclass
class Results:
    """What came out."""

    passed: dict[str, set[Cell]] = field(default_factory=lambda: {path: set() for path in PATHS})
    failed: dict[str, dict[Cell, str]] = field(default_factory=lambda: {path: {} for path in PATHS})
    skipped: dict[Cell, str] = field(default_factory=dict)
    trouble: list[str] = field(default_factory=list)
    """What is wrong beside the cases: a proxy that is not empty in the end, a log with a traceback."""

    def wrong(self) -> list[str]:
        """Return a line for each thing that must not be."""
        lines = [
            f"{path}: {cell.transport} {cell.client} -> {cell.server} {cell.case}: {why}"
            for path in PATHS
            for cell, why in sorted(self.failed[path].items(), key=lambda item: repr(item[0]))
        ]
        return [*lines, *self.trouble]


def supported(transport: str) -> str | None:
    """Return why the proxy cannot be reached over a transport; None when it can."""
    if transport == "plaintext":
        return None
    for message in (policy_pb2.Listener, policy_pb2.Cluster):
        if "tls" not in message.DESCRIPTOR.fields_by_name:
            return "this proxy has no TLS"
    return None


def document(address: str, setting: Setting) -> dict[str, Any]:
    """Return a policy document for a proxy in front of `address`."""
    listener: dict[str, Any] = {"name": "main", "address": "127.0.0.1:0"}
    cluster: dict[str, Any] = {"name": "up", "endpoints": [address]}
    if "limits" in policy_pb2.Listener.DESCRIPTOR.fields_by_name:
        # One value of 63 KB is more than strangers get.
        listener["limits"] = {"header_list": "96KiB", "header_block": "96KiB"}
    if setting.transport != "plaintext":
        files = {name: str(setting.certs / name) for name in ("ca.pem", "server.pem", "client.pem")}
        keys = {name: str(setting.certs / name) for name in ("server.key", "client.key")}
        listener["tls"] = {"cert_file": files["server.pem"], "key_file": keys["server.key"]}
        cluster["tls"] = {"ca_file": files["ca.pem"], "server_name": SERVER_NAME}
        if setting.transport == "mtls":
            listener["tls"]["client_ca_file"] = files["ca.pem"]
            cluster["tls"] |= {"cert_file": files["client.pem"], "key_file": keys["client.key"]}
    return {
        "listeners": [listener],
        "clusters": [cluster],
        "policies": {"interop": POLICY},
        "routes": [{"name": "all", "match": {}, "cluster": "up", "policy": "interop"}],
    }


@contextmanager
def standing(setting: Setting, server: str) -> Iterator[tuple[str, Proxy]]:
    """Run a server and a proxy in front of it; give the server's address and the proxy."""
    with serving(setting, server) as upstream:
        folder = setting.logs / f"proxy-{server}-{setting.transport}"
        folder.mkdir()
        stand = Stand(folder)
        try:
            yield upstream.address, stand.proxy(stand.policy(document(upstream.address, setting)))
        finally:
            stand.close()


class Matrix:
    """Runs the cases."""

    def __init__(self, folder: Path, scale: str, cases: Sequence[str]) -> None:
        self._folder = folder
        self._scale = scale
        self._cases = cases
        self.results = Results()
        self._stubs = folder / "stubs"
        self._stubs.mkdir()
        generate(self._stubs)
        self._certs = folder / "certs"
        self._certs.mkdir()
        certs.make(self._certs)

    def run(self, transport: str, clients: Sequence[str], servers: Sequence[str]) -> None:
        """Run every client with every server over one transport."""
        logs = self._folder / transport
        logs.mkdir()
        setting = Setting(transport, self._certs, self._stubs, logs)
        reason = supported(transport)
        absent = {peer: why_not(peer) for peer in {*clients, *servers}}
        pairs = [(client, server) for server in servers for client in clients]
        for client, server in pairs:
            why = reason or absent[client] or absent[server]
            if why is not None:
                self._skip(transport, client, server, why)
        present = [server for server in servers if reason is None and absent[server] is None]
        with ExitStack() as stack:
            places = {server: stack.enter_context(standing(setting, server)) for server in present}
            runnable = [pair for pair in pairs if pair[1] in places and absent[pair[0]] is None]
            with ThreadPoolExecutor(AT_ONCE) as pool:
                for done in [
                    pool.submit(self._run_pair, setting, *pair, *places[pair[1]]) for pair in runnable
                ]:
                    done.result()
            for server, (_, proxy) in places.items():
                self._look_at(proxy, f"{transport}, proxy before {server}")

    def _skip(self, transport: str, client: str, server: str, why: str) -> None:
        for case in self._cases:
            self.results.skipped[Cell(transport, client, server, case)] = why

    def _run_pair(self, setting: Setting, client: str, server: str, address: str, proxy: Proxy) -> None:
        results = self.results
        wanted = []
        for case in self._cases:
            known = gap(client, server, case, full=self._scale == "full")
            if known is None or known.unsteady:
                wanted.append(case)
            else:
                results.skipped[Cell(setting.transport, client, server, case)] = known.reason
        places = {"direct": address, "proxy": proxy.address}
        lines = run_client(setting, client, places, self._scale, wanted, LIMITS_S[self._scale])
        said = {(line["path"], line["case"]): line for line in lines}
        for path in PATHS:
            for case in wanted:
                cell = Cell(setting.transport, client, server, case)
                line = said.get(
                    (path, case), {"result": "failed", "why": said.get(("", ""), {}).get("why", "no result")}
                )
                known = gap(client, server, case, full=self._scale == "full")
                if line["result"] == "passed":
                    results.passed[path].add(cell)
                elif known is not None and (path == "direct" or cell in results.skipped):
                    results.skipped[cell] = known.reason
                elif known is not None and not known.mended:
                    results.passed["direct"].discard(cell)
                    results.skipped[cell] = f"through the proxy only: {known.reason}"
                else:
                    results.failed[path][cell] = line["why"]

    def _look_at(self, proxy: Proxy, name: str) -> None:
        """Whatever the cases did, nothing of it may be left in the proxy."""
        try:
            wait_until(lambda: proxy.status()["calls_in_flight"] == 0, "no call is in flight", 15)
        except (AssertionError, OSError) as error:
            self.results.trouble.append(f"{name}: {error}")
        if "Traceback" in proxy.child.log():
            self.results.trouble.append(f"{name}: its log has a traceback:\n{proxy.child.log()[-3000:]}")


def table(results: Results, transports: Sequence[str], clients: Sequence[str], servers: Sequence[str]) -> str:
    """Return the table: for each pair and transport, cases passed direct / passed through the proxy /
    skipped.
    """
    lines = [f"{'client':<11} {'server':<11}" + "".join(f" {name:>14}" for name in transports)]
    counts: dict[str, Counter[tuple[str, str, str]]] = {
        name: Counter((cell.transport, cell.client, cell.server) for cell in cells)
        for name, cells in (
            ("direct", results.passed["direct"]),
            ("proxy", results.passed["direct"] & results.passed["proxy"]),
            ("skipped", results.skipped),
        )
    }
    total = dict.fromkeys(transports, (0, 0, 0))
    for client in clients:
        for server in servers:
            row = f"{client:<11} {server:<11}"
            for transport in transports:
                three = tuple(
                    counts[name][transport, client, server] for name in ("direct", "proxy", "skipped")
                )
                total[transport] = tuple(a + b for a, b in zip(total[transport], three, strict=True))  # type: ignore[assignment]
                row += f" {'/'.join(map(str, three)):>14}"
            lines.append(row)
    lines.append(f"{'all':<23}" + "".join(f" {'/'.join(map(str, total[name])):>14}" for name in transports))
    lines.append("(cases passed direct / passed direct and through the proxy / skipped)")
    reasons = Counter(results.skipped.values())
    lines += [f"skipped {count:>5}: {reason}" for reason, count in reasons.most_common()]
    return "\n".join(lines)


def run(
    folder: Path,
    *,
    scale: str,
    transports: Sequence[str],
    clients: Sequence[str],
    servers: Sequence[str],
    cases: Sequence[str] = tuple(CASES),
) -> tuple[Results, str]:
    """Run the matrix in `folder`; return the results and the table."""
    matrix = Matrix(folder, scale, cases)
    for transport in transports:
        began = time.monotonic()
        matrix.run(transport, clients, servers)
        print(f"{transport}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    return matrix.results, table(matrix.results, transports, clients, servers)


def main() -> int:
    """Run what the arguments ask for; 1 when something that passes direct fails through the proxy."""
    parser = argparse.ArgumentParser(description="gRPC interoperability through the proxy")
    parser.add_argument("--scale", choices=sorted(LIMITS_S), default="full")
    parser.add_argument("--transports", default=",".join(TRANSPORTS))
    parser.add_argument("--clients", default=",".join(ALL_PEERS))
    parser.add_argument("--servers", default=",".join(ALL_PEERS))
    parser.add_argument("--cases", default=",".join(CASES))
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="seawall-interop-"))
    results, text = run(
        folder,
        scale=given.scale,
        transports=given.transports.split(","),
        clients=given.clients.split(","),
        servers=given.servers.split(","),
        cases=given.cases.split(","),
    )
    print(text)
    wrong = results.wrong()
    for line in wrong:
        print(f"WRONG {line}")
    if wrong:
        print(f"{len(wrong)} wrong; logs in {folder}", file=sys.stderr)
        return 1
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
