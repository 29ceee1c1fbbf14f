#!/usr/bin/env bash
# Makes the virtual environment named by $1 with a Python >= 3.11, or says what is missing. Does nothing when
# it works already.
set -euo pipefail
venv=$1

recent_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

made=$venv/bin/python
if [ -x "$made" ] && recent_enough "$made" && "$made" -m pip --version >/dev/null 2>&1; then
    exit 0
fi

python=""
for candidate in ${PYTHON:-python3.11 python3.12 python3.13 python3.14 python3}; do
    if command -v "$candidate" >/dev/null && recent_enough "$candidate"; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    echo "seawall: Python 3.11 or newer was not found (looked for: ${PYTHON:-python3.11 .. python3.14, python3})." >&2
    echo "         Install it (Debian, Ubuntu: apt install python3 python3-venv), or name one: make PYTHON=/path/to/python" >&2
    exit 1
fi
if ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    echo "seawall: $python cannot make a virtual environment with pip: its ensurepip module is packaged apart." >&2
    echo "         Install it (Debian, Ubuntu: apt install python$version-venv) and run make again." >&2
    exit 1
fi
printf '\033[1m==> making %s with %s (%s)\033[0m\n' "$venv" "$python" "$("$python" -V)"
"$python" -m venv --clear "$venv"
