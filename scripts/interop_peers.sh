#!/usr/bin/env bash
# Installs and builds the interoperability peers of other languages into build/interop, where the tools for
# them are there; the matrix says what it skips for want of them.
set -euo pipefail
cd "$(dirname "$0")/.."
sources=$PWD/tests/interop
target=$PWD/build/interop
mkdir -p "$target/node"

if command -v npm >/dev/null; then
    cp "$sources/node/package.json" "$sources/node/package-lock.json" "$target/node/"
    if ! cmp -s "$target/node/package-lock.json" "$target/node/node_modules/.installed"; then
        echo "installing grpc-js into build/interop/node"
        if npm ci --prefix "$target/node" --no-audit --no-fund --silent; then
            cp "$target/node/package-lock.json" "$target/node/node_modules/.installed"
        else
            echo "grpc-js cannot be installed here"
        fi
    fi
else
    echo "npm is not there: no grpc-js peer"
fi

if command -v go >/dev/null; then
    echo "building the grpc-go peer into build/interop/peer"
    go build -C "$sources/go" -trimpath -o "$target/peer" . || echo "the grpc-go peer cannot be built here"
else
    echo "go is not there: no grpc-go peer"
fi
