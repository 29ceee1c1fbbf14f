#!/usr/bin/env bash
# Runs the tests on the code as built: first those that share nothing with each other, side by side on all
# cores, then those that mostly wait, more at a time, then those that compare times and loads, one after the
# other. When the code was compiled, the quick ones run once more on the same source interpreted. With
# arguments pytest gets them, and nothing else is run. A part that fails does not keep the next one from
# running; what failed is listed at the end.
set -uo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-.venv/bin/python}

say() { printf '\033[1m==> %s\033[0m\n' "$1"; }

state=$(PYTHONPATH=proxy "$python" -c 'from seawall_policy._native import build_info; print(build_info().state)') || exit 1
if [ $# -gt 0 ]; then
    say "running the tests ($state)"
    exec "$python" -m pytest "$@"
fi

apart=(tests/unit tests/property tests/scenario tests/simulation)
cores=$("$python" -c 'import os; print(min(4, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1))')
failed=()

record=$(mktemp)
trap 'rm -f "$record"' EXIT

part() { # name, pytest's arguments
    say "$1"
    "$python" -m pytest "${@:2}" | tee -a "$record" || failed+=("$1")
}

waiting=(tests/conformance tests/faults tests/interop
    tests/integration/{control,cli,system,telemetry,transport,upstream,resilience,features})
part "the tests that stand alone, $state, $cores at a time (1 of 4)" --numprocesses "$cores" "${apart[@]}"
part "the control plane, both planes, commands, faults and protocols, $state, $((2 * cores)) at a time (2 of 4)" \
    --numprocesses "$((2 * cores))" "${waiting[@]}"
part "the tests with load and limits of time, $state (3 of 4)" tests "${apart[@]/#/--ignore=}" "${waiting[@]/#/--ignore=}"
if [ "$state" = compiled ]; then
    export SEAWALL_INTERPRETED=1
    part "the quick tests on the same source, interpreted (4 of 4)" \
        --numprocesses "$cores" -m "not slow and not integration" tests/unit tests/property tests/scenario
fi

if [ ${#failed[@]} -gt 0 ]; then
    say "failed"
    printf '%s\n' "${failed[@]}"
    grep -aE '^(FAILED|ERROR) ' "$record"
fi
exit $((${#failed[@]} > 0))
