#!/usr/bin/env bash
# The official clients against a fleet that sleeps when they come, and two gateways for what it cannot show: starts all,
# runs the suites in tests/clients, ends everything, and looks that nothing is left. Prints TAP; logs stay in
# target/clients.
# shellcheck disable=SC2329  # `promise`, `within` and the traps call functions by name
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/tools.sh
cargo build --locked --quiet -p gateway -p scaler -p demo --features gateway/aws,scaler/aws # as the tests were, or all is built twice

# Nothing of whoever runs this shall reach a client, a proxy or a gateway.
for name in $(compgen -e | grep -E '^(OLLAMA|OPENAI|ANTHROPIC|GATEWAY_)' || true); do unset "$name"; done
export NO_PROXY=127.0.0.1 no_proxy=127.0.0.1

python=.tools/python/bin/python
folder=$PWD/target/clients
rm -rf "$folder"
mkdir -p "$folder"
processes=()
# shellcheck source=scripts/promises.sh
. scripts/promises.sh

end_all() {
    kill -TERM "${processes[@]}" 2>/dev/null || true
    wait
}
trap end_all EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# A further gateway like the demo's, but for these settings: where it is goes into `url`.
further() {
    local name=$1 check=$2 port
    shift 2
    port=$("$python" -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
    url=https://127.0.0.1:$port
    env GATEWAY__LISTEN__ADDRESS="127.0.0.1:$port" GATEWAY__LISTEN__ADMIN=127.0.0.1:0 \
        GATEWAY__TLS__CERTIFICATE="$folder/cert.pem" GATEWAY__TLS__PRIVATE_KEY="$folder/key.pem" \
        GATEWAY__STORE__PATH="$folder/$name.db" GATEWAY__FLEET__NAME="$name" "$@" \
        target/debug/gateway --config "$folder/node.toml" >"$folder/$name.log" 2>&1 &
    processes+=($!)
    promise "a further gateway is up: $name" within 30 curl -sf --cacert "$folder/ca.pem" "$url/$check"
}

target/debug/demo up --simulated --directory "$folder" >"$folder/printed.txt" 2>"$folder/demo.log" &
demo=$!
processes+=("$demo")
export DEMO_JSON=$folder/demo.json NODE_EXTRA_CA_CERTS=$folder/ca.pem
promise "the demo is up within a minute" within 60 test -s "$DEMO_JSON"
mkfifo "$folder/input"
exec 3<>"$folder/input" # an Ollama of the demo's ends when its input does
target/debug/demo ollama <&3 >"$folder/ollama.txt" 2>"$folder/ollama.log" &
processes+=($!)
promise "an Ollama for the further gateways listens" within 30 grep -q '^listening ' "$folder/ollama.txt"
[ $status -eq 0 ] || exit 1
ollama=$(sed -n 's/^listening //p' "$folder/ollama.txt")
further patient readyz GATEWAY__OLLAMA__URL="$ollama" GATEWAY__OLLAMA__PARALLEL=1 \
    GATEWAY__QUEUE__KEEPALIVE_AFTER_SECONDS=0.2 GATEWAY__QUEUE__KEEPALIVE_EVERY_SECONDS=0.2 GATEWAY__ROLES__LIMITED__REQUESTS_PER_MINUTE=60 \
    GATEWAY__ROLES__LIMITED__REQUESTS_BURST=1
export PATIENT_URL=$url
further lonely healthz GATEWAY__OLLAMA__URL=http://127.0.0.1:9 # the discard port: nobody is there
export LONELY_URL=$url

tests/clients/printed.sh "$folder/printed.txt" "$python" || status=1
"$python" tests/clients/python/run.py || status=1
node tests/clients/node/run.js || status=1
translations() { target/debug/demo translate-eval --directory "$folder" >"$folder/translations.txt"; }
promise "a translation keeps tags, placeholders, addresses, numbers and lines" translations

kill -INT "$demo"
promise "the demo ends well on SIGINT" wait "$demo"
processes=("${processes[@]:1}")
# Machines that ended before the demo are gone already.
pids() { "$python" -c 'import json, sys; print(*json.load(open(sys.argv[1]))["pids"].values())' "$DEMO_JSON"; }
gone() { for pid in $(pids); do ! kill -0 "$pid" 2>/dev/null || return 1; done; }
promise "no process of the demo is left" gone
exit $status
