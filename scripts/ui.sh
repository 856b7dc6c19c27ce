#!/usr/bin/env bash
# Checks the page: types, lints, formats, units, build, size, and a real Chromium against the stand-in, or against a
# running demo with PAGE_DEMO=target/demo/demo.json. One `ok` or `not ok` line each, which `suite` in check.sh counts.
set -uo pipefail
cd "$(dirname "$0")/../ui" || exit 1
failed=0

# One check: a command that must succeed; what it said is shown only if it did not.
check() {
    local name=$1 said
    shift
    if said=$("$@" 2>&1); then
        echo "ok $name"
    else
        failed=1
        echo "not ok $name"
        echo "${said//$'\n'/$'\n'    }"
    fi
}

# The packages of the lock file, unless they are there already.
# shellcheck disable=SC2329 # `check` calls it
packages() {
    [ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --no-audit --no-fund
}

# A browser from the distribution: test tools' own downloads need a network that CI may not have.
# shellcheck disable=SC2329 # `check` calls it
browser() {
    command -v "${CHROMIUM:-chromium}" && return
    local as_root=()
    [ "$(id -u)" -eq 0 ] || as_root=(sudo)
    "${as_root[@]}" apt-get update -q && "${as_root[@]}" apt-get install -yq --no-install-recommends chromium
}

check "packages" packages
check "browser" browser
if [ $failed -ne 0 ]; then exit 1; fi
check "lock file without addresses of registries" bash -c '! grep -q "\"resolved\"" package-lock.json'
check "types" npx tsc --noEmit
check "lints" npx eslint . --max-warnings 0
check "formats" npx prettier --check .
npx vitest run --reporter=tap-flat || failed=1
check "build" npx vite build
check "size" node size.mjs
node size.mjs | sed -n '$s/^ */note: bundle, gzipped: /p'
PAGE_DEMO=${PAGE_DEMO:+$(cd .. && realpath "$PAGE_DEMO")} TAP=1 npx playwright test || failed=1
exit $failed
