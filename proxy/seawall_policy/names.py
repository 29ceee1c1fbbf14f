"""What a proxy may be called. Its name becomes a label of metrics, a part of its certificate, and the name of
the folder that its state is in, so both planes and lint go by this rule.
"""

from __future__ import annotations

import re
from typing import Final

NODE_RULE: Final = (
    "1 to 128 of letters, digits, `_`, `-`, `.` and `/`, with something else than dots between slashes"
)
_NODE: Final = re.compile(r"[A-Za-z0-9_./-]{1,128}")
_UPWARDS: Final = frozenset({"", ".", ".."})


def is_node_name(name: str) -> bool:
    """Tell whether a proxy may have this name: one that is `../..`, or begins with a slash, would leave the
    folder that proxies' states are in.
    """
    return _NODE.fullmatch(name) is not None and _UPWARDS.isdisjoint(name.split("/"))
