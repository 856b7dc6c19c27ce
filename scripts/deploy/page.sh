#!/usr/bin/env bash
# Builds the page into ui/dist, without the settings of any fleet.
set -euo pipefail
cd "$(dirname "$0")/../.."
stop() {
    echo "page.sh: $*" >&2
    exit 1
}
[ -d ui ] || stop "there is no folder ui"
command -v npm >/dev/null || stop "npm is missing; install Node.js 20 or newer"
npm ci --prefix ui --silent --no-audit --no-fund || stop "what the page needs cannot be fetched"
npm run build --prefix ui --silent || stop "the page cannot be built"
