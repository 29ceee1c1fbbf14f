#!/usr/bin/env bash
# Runs the tests: everything once on the code as built, then, when that was compiled, the quick ones on the
# same source interpreted. pytest's summary is the last thing printed.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-.venv/bin/python}

say() { printf '\033[1m==> %s\033[0m\n' "$1"; }

state=$(PYTHONPATH=proxy "$python" -c 'from seawall_policy._native import build_info; print(build_info().state)')
if [ "$state" != compiled ] || [ $# -gt 0 ]; then
    say "running the tests ($state)"
    exec "$python" -m pytest "$@"
fi

say "running all tests on the compiled modules (1 of 2)"
"$python" -m pytest
quick=()
for folder in unit property scenario; do
    if [ -d "tests/$folder" ]; then quick+=("tests/$folder"); fi
done
say "running the quick tests on the same source, interpreted (2 of 2)"
SEAWALL_INTERPRETED=1 exec "$python" -m pytest -m "not slow and not integration" "${quick[@]}"
