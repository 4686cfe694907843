#!/usr/bin/env bash
# Compile the hashed lock files from pyproject.toml. They name no index: each site has its own.
set -euo pipefail
cd "$(dirname "$0")/.."
if ! command -v uv >/dev/null; then
    echo "renkei: make lock needs uv: install it first" >&2
    exit 1
fi
compile() {
    uv pip compile --quiet --python-version 3.11 --universal --generate-hashes \
        --no-emit-index-url --no-header pyproject.toml "$@"
}
compile --group build -o requirements/runtime.txt
compile --group dev -c requirements/runtime.txt -o requirements/dev.txt
compile --group build --group bench -c requirements/dev.txt -o requirements/bench.txt
compile --group build --group docs -c requirements/dev.txt -o requirements/docs.txt
