#!/usr/bin/env bash
# Builds the page into ui/dist where npm is there, unless nothing has changed since; without npm the demo runs without it.
set -euo pipefail
cd "$(dirname "$0")/../ui"
if ! command -v npm >/dev/null; then
    echo "npm is not installed: the demo runs without its page"
    exit 0
fi
if [ -f dist/index.html ] && [ -z "$(find . -path ./node_modules -prune -o -path ./dist -prune -o -path ./tests -prune -o -path ./test-results -prune -o -type f -newer dist/index.html -print -quit)" ]; then
    exit 0
fi
[ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --silent --no-audit --no-fund
npm run --silent build >/dev/null
