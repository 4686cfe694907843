#!/usr/bin/env bash
# Make .venv hold exactly what requirements/$1.txt locks, and the project itself, editable.
# A stamp with the lock's hash makes the second call cost nothing.
set -euo pipefail
cd "$(dirname "$0")/.."
kind=$1

say() { echo "renkei: $*" >&2; }

new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
    local name
    for name in "${PYTHON:-}" python3.13 python3.12 python3.11 python3; do
        if [ -n "$name" ] && command -v "$name" >/dev/null && new_enough "$name"; then
            command -v "$name"
            return
        fi
    done
    say "Python 3.11 or newer is needed, and none was found: install it, or name it with PYTHON=/path/to/python3"
    return 1
}

# Debian keeps the part of Python that makes environments in a package of its own.
need_venv() {
    "$1" -c 'import ensurepip, venv' 2>/dev/null && return
    local version
    version=$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        say "installing python$version-venv"
        apt-get -qq update && apt-get -qq install -y --no-install-recommends "python$version-venv" >/dev/null
    else
        say "$1 cannot make environments: install the package python$version-venv"
        return 1
    fi
}

fingerprint() { cat "requirements/$kind.txt" pyproject.toml | .venv/bin/python -c \
    'import hashlib, os, sys; sys.stdout.write(hashlib.sha256(sys.stdin.buffer.read() + os.getcwd().encode()).hexdigest())'; }

# An environment that was moved, or whose Python was upgraded away, does not start any more.
if ! { new_enough .venv/bin/python && [ "$(.venv/bin/python -c 'import sys; print(sys.prefix)')" = "$PWD/.venv" ]; }; then
    python=$(find_python)
    need_venv "$python"
    rm -rf .venv
    "$python" -m venv .venv
fi

stamp=".venv/.installed-$kind"
if [ "$(cat "$stamp" 2>/dev/null)" != "$(fingerprint)" ]; then
    say "installing what requirements/$kind.txt locks into .venv (some minutes the first time)"
    pip=(.venv/bin/python -m pip -qq --disable-pip-version-check --no-input)
    "${pip[@]}" install --no-deps --require-hashes -r "requirements/$kind.txt"
    "${pip[@]}" install --no-deps --no-build-isolation --editable .
    fingerprint >"$stamp"
fi
