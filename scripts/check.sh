#!/usr/bin/env bash
# Every static check, in the order in which a failure is cheapest to read. All of them run; the exit code is 1
# if any failed. Arguments: the folders to check.
set -uo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-.venv/bin/python}
bin=$(dirname "$python")
failed=()

generated() {
    local script result=0
    for script in scripts/gen_*_reference.py scripts/gen_docs_tables.py; do "$python" "$script" --check || result=1; done
    return $result
}

step() { # name, command...
    local name=$1
    shift
    printf '\033[1m==> %s\033[0m\n' "$name"
    "$@" || failed+=("$name")
}

step "ruff check" "$python" -m ruff check "$@"
step "ruff format --check" "$python" -m ruff format --check "$@"
step "mypy --strict" "$python" -m mypy "$@"
step "import contracts" env PYTHONPATH=proxy:control:clients/python "$bin/lint-imports"
step "buf lint" "$bin/buf" lint
step "buf format" "$bin/buf" format --diff --exit-code
step "generated stubs are fresh" "$python" scripts/gen_proto.py --check
step "generated reference pages are fresh" generated

if [ ${#failed[@]} -gt 0 ]; then
    printf 'check: %d failed:' ${#failed[@]}
    printf ' [%s]' "${failed[@]}"
    printf '\n'
    exit 1
fi
echo "check: all clean"
