"""`python -m tests.kit.history FOLDER`: prints the verdict about a history; exit code 1 when it is broken."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.kit.history import check, read

if __name__ == "__main__":
    found = check(read(Path(sys.argv[1])))
    sys.stdout.write(f"{found.report()}\n")
    sys.exit(0 if found.holds else 1)
