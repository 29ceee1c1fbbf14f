"""The id of the request that is being answered, for logs and answers."""

from __future__ import annotations

import re
import uuid
from contextvars import ContextVar
from typing import Final

CURRENT: Final[ContextVar[str]] = ContextVar("seawall_request_id", default="")
"""Empty outside a request."""
_USABLE: Final = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")


def taken(said: str) -> str:
    """Return the caller's id when it is fit for a log line, else a new one."""
    return said if _USABLE.fullmatch(said) else str(uuid.uuid4())
