#!/usr/bin/env bash
# Installs what the checks need beside Rust into .tools/: a linter for scripts, and the official clients of Ollama,
# OpenAI and Anthropic for Python and Node, all at pinned versions. Does nothing where they are there already.
set -euo pipefail
cd "$(dirname "$0")/.."
pins=(scripts/requirements.txt tests/clients/node/package-lock.json)
clients=tests/clients/node/node_modules

refuse() {
    echo "scripts/tools.sh: $*" >&2
    exit 1
}

need() {
    command -v "$1" >/dev/null || refuse "$1 is missing; install it first: $2"
}

need cargo "rustup's stable toolchain"
need cc "apt-get install gcc"
need curl "apt-get install curl"
need python3 "apt-get install python3 python3-venv"
need node "Node.js 20 or newer"
need npm "it comes with Node.js"
[ "$(node -p 'parseInt(process.versions.node)')" -ge 20 ] || refuse "node is $(node -v); install Node.js 20 or newer"

# What is installed, in one line; whatever is moved, updated or removed makes another one.
stamp() { echo "$PWD $(cat "${pins[@]}" | cksum) $(python3 -V) $(node -v)"; }

if [ -x .tools/python/bin/shellcheck ] && [ -d $clients ] && [ "$(cat .tools/stamp 2>/dev/null)" = "$(stamp)" ]; then
    exit 0
fi
echo "installing the checks' tools into .tools/"
rm -rf .tools/python .tools/stamp
mkdir -p .tools
# Debian's python3 has the module but not what it needs, and says so in ten lines.
python3 -m venv .tools/python >/dev/null 2>&1 || refuse "python3 cannot make environments; apt-get install python3-venv"
.tools/python/bin/pip install --quiet --disable-pip-version-check --requirement scripts/requirements.txt
npm ci --silent --no-audit --no-fund --prefix tests/clients/node
stamp >.tools/stamp
