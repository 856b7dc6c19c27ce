#!/usr/bin/env bash
# Installs what the checks need beside Rust into .tools/: a linter for scripts, and the official clients of Ollama,
# OpenAI and Anthropic for Python and Node, all at pinned versions. Does nothing where they are there already.
set -euo pipefail
cd "$(dirname "$0")/.."

need() {
    command -v "$1" >/dev/null || { echo "install $1 first: $2" >&2; exit 1; }
}
need cargo "rustup's stable toolchain"
need cc "apt-get install gcc"
need python3 "apt-get install python3 python3-venv"
need node "Node.js 20 or newer"
need npm "it comes with Node.js"

stamp() { cat scripts/requirements.txt tests/clients/node/package-lock.json | cksum; }
[ "$(cat .tools/stamp 2>/dev/null || true)" = "$(stamp)" ] && exit 0

echo "installing the checks' tools into .tools/"
python3 -m venv .tools/python
.tools/python/bin/pip install --quiet --requirement scripts/requirements.txt
npm ci --silent --prefix tests/clients/node
stamp >.tools/stamp
