#!/usr/bin/env bash
# Everything CI runs, in the order of cheapness. Each lint is one check, each test is one; all run even if one fails,
# and the last line says how many passed and failed.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
passed=0
failed=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# One check: a command that must succeed.
check() {
    local name=$1
    shift
    if "$@" >"$log" 2>&1; then
        passed=$((passed + 1))
        echo "ok      $name"
    else
        failed=$((failed + 1))
        cat "$log"
        echo "FAILED  $name"
    fi
}

# Many checks: a command whose output says how many, as cargo does, or line by line as TAP does.
suite() {
    local name=$1 ok bad
    shift
    "$@" >"$log" 2>&1
    local status=$?
    ok=$(($(sum '[0-9]+ passed') + $(grep -cE '^ok ' "$log")))
    bad=$(($(sum '[0-9]+ failed') + $(grep -cE '^not ok ' "$log")))
    if [ $status -ne 0 ] && [ $bad -eq 0 ]; then bad=1; fi
    if [ $ok -eq 0 ] && [ $bad -eq 0 ]; then bad=1; fi # a suite that ran nothing has not passed
    if [ $bad -ne 0 ]; then cat "$log"; fi
    grep -hE '^(note|skipped): ' "$log"
    passed=$((passed + ok))
    failed=$((failed + bad))
    echo "$([ $bad -eq 0 ] && echo 'ok     ' || echo 'FAILED ') $name: $ok passed, $bad failed"
}

sum() { grep -E '^test result: ' "$log" | grep -oE "$1" | awk '{ n += $1 } END { print n + 0 }'; }

export RUSTDOCFLAGS="-D warnings"
scripts/tools.sh || exit 1
scripts/emulators.sh start || exit 1
trap 'rm -f "$log"; scripts/emulators.sh stop' EXIT
# shellcheck source=/dev/null
. .tools/emulators.env
check "formats" cargo fmt --all --check
check "scripts" .tools/python/bin/shellcheck .ci/run scripts/*.sh scripts/deploy/*.sh tests/clients/*.sh demo/tests/faults/*.sh
check "dependencies" scripts/deny.sh
check "lints" cargo clippy --locked --workspace --all-targets --features gateway/aws,scaler/aws -- -D warnings
check "documents of the code" cargo doc --locked --workspace --no-deps --features gateway/aws,scaler/aws
suite "tests" cargo test --locked --workspace --features gateway/aws,scaler/aws --no-fail-fast -- --nocapture
suite "official clients" scripts/clients.sh
suite "templates" env PROGRAMS=target/debug scripts/templates.sh
suite "images" scripts/images.sh
suite "deployment" python3 -B scripts/deploy/checks.py
suite "page" scripts/ui.sh
suite "a fleet on emulators" scripts/emulated-fleet.sh
suite "the page on a fleet" scripts/page-on-demo.sh
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
