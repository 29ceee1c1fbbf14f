"""The admin HTTP and a client that asks and does not read."""

from __future__ import annotations

import asyncio

from seawall_proxy.runtime.admin_http import MAX_UNREAD_BYTES, AdminHttp, Page

PAGE_BYTES = 1 << 20


async def test_requests_that_nobody_reads_the_answers_of_are_not_answered_for_ever() -> None:
    """Five hundred pipelined requests for a large page, none of whose answers is read, are answered up to a
    bound; then the connection is closed.
    """
    made = 0

    def page() -> Page:
        nonlocal made
        made += 1
        return Page(bytes(PAGE_BYTES))

    admin = AdminHttp({"/large": page})
    await admin.start("127.0.0.1", 0)
    host, _, port = admin.address.rpartition(":")
    _, writer = await asyncio.open_connection(host, int(port), limit=1024)
    writer.write(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n" * 500)
    # Nothing is asked of the reader: its transport stops reading by itself.
    before = 0
    while made == 0 or made > before:
        before = made
        await asyncio.sleep(0.5)
    assert made <= (MAX_UNREAD_BYTES + (16 << 20)) // PAGE_BYTES
    writer.transport.abort()
    await asyncio.sleep(0.05)
    await admin.stop()
