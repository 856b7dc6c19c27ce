#!/usr/bin/env bash
# The page in a real Chromium on a real fleet: starts a demo that serves the built page, runs the tests marked @fleet in
# ui/tests, ends everything, and looks that nothing is left. Prints TAP; logs stay in target/page.
# shellcheck disable=SC2329  # `promise`, `within` and the traps call functions by name
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --locked --quiet -p gateway -p scaler -p demo --features gateway/aws,scaler/aws # as the tests were, or all is built twice
scripts/page.sh

# Nothing of whoever runs this shall reach a gateway, and no proxy the browser.
for name in $(compgen -e | grep -iE '^(GATEWAY_|OLLAMA|(http|https|all)_proxy$)' || true); do unset "$name"; done
export NO_PROXY=127.0.0.1 no_proxy=127.0.0.1

folder=$PWD/target/page
rm -rf "$folder"
mkdir -p "$folder"
demo=
# shellcheck source=scripts/promises.sh
. scripts/promises.sh

end_demo() { [ -z "$demo" ] || { kill -INT "$demo" 2>/dev/null && wait "$demo"; } || true; }
trap end_demo EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

of_demo() { node -p "const demo = require('$folder/demo.json'); $1"; }

# A queue that a small crowd fills, so that the page can be refused for want of room.
GATEWAY__QUEUE__CAPACITY=64 target/debug/demo up --simulated --directory "$folder" >"$folder/printed.txt" 2>"$folder/demo.log" &
demo=$!
promise "the demo is up within a minute" within 60 test -s "$folder/demo.json"
[ $status -eq 0 ] || exit 1
served() { [ "$(of_demo 'demo.ui_url !== null')" = true ]; }
promise "the front serves the page" served
browser() { command -v "${CHROMIUM:-chromium}" >/dev/null; }
promise "a browser is there, which scripts/ui.sh installs" browser
if [ $status -eq 0 ]; then
    (cd ui && PAGE_DEMO="$folder/demo.json" TAP=1 npx playwright test --grep @fleet) || status=1
fi

read -ra pids <<<"$(of_demo 'Object.values(demo.pids).join(" ")')"
ended=$demo
demo=
kill -INT "$ended" || true
promise "the demo ends well on SIGINT" wait "$ended"
gone() { for pid in "${pids[@]}"; do ! kill -0 "$pid" 2>/dev/null || return 1; done; }
promise "no process of the demo is left" gone
exit $status
