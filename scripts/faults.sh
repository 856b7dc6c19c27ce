#!/usr/bin/env bash
# What befalls a real fleet on this machine: processes killed, stopped and crowded, and a table of what it cost.
# The short ones run in `cargo test` too; FAULTS=long adds those that wait for leases, orders and boots to lapse.
# Arguments go to the tests: scripts/faults.sh sleeps
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --locked --quiet -p gateway -p scaler -p demo
arguments=(--nocapture --test-threads=2)
if [ "${FAULTS:-}" = long ]; then arguments+=(--include-ignored); fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
cargo test --locked --quiet -p demo --test faults -- "${arguments[@]}" "$@" >"$log" 2>&1 || status=$?
if [ $status -ne 0 ]; then grep -v '^fault: ' "$log" || true; fi
printf '%-44s %12s %4s %16s %10s\n' fault "streams open" cut "errors of others" "recovery"
sed -n 's/^fault: //p' "$log" | sort | while IFS='|' read -r fault open cut others seconds; do
    printf '%-44s %12s %4s %16s %8s s\n' "$fault" "$open" "$cut" "$others" "$seconds"
done
grep '^test result: ' "$log"
exit $status
