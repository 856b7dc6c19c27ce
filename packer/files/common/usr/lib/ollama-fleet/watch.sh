#!/usr/bin/env bash
# Looks every five seconds whether the machine has to go. If so the gateway drains: queued requests go to peers, streams
# run to their end, and the group waits for it (60 s, renewed every 20). A Spot machine has two minutes: ten seconds
# before their end a second signal makes the gateway tell its callers that it ends.
# shellcheck source=packer/files/common/usr/lib/ollama-fleet/machine.sh
. /usr/lib/ollama-fleet/machine.sh
gateway=ollama-fleet-gateway.service

# Until the gateway has ended, or to this moment (seconds since 1970).
drained() {
    local until=${1:-} renewed=0 now
    while systemctl --quiet is-active $gateway || [ "$(systemctl is-active $gateway)" = deactivating ]; do
        now=$(date +%s)
        if [ -n "$until" ] && [ "$now" -ge "$until" ]; then return 1; fi
        if [ $((now - renewed)) -ge 20 ] && [ -n "${TERMINATE_HOOK:-}" ]; then renew_hook "$TERMINATE_HOOK" && renewed=$now; fi
        sleep 1
    done
}

leave() {
    local until=${1:-}
    systemctl stop --no-block ollama-fleet-scaler.service # another front takes the lease
    systemctl stop --no-block $gateway
    sleep 1
    if ! drained "$until"; then
        say "no time left: what still runs ends with an error that says so"
        systemctl kill --signal=TERM $gateway
        drained $(($(date +%s) + 9)) || true
    fi
    [ -z "${TERMINATE_HOOK:-}" ] || end_hook "$TERMINATE_HOOK" CONTINUE || true
    say "drained"
}

while sleep 5; do
    notice=$(imds spot/instance-action) || notice=
    if [ -n "$notice" ]; then
        ends=$(sed -n 's/.*"time" *: *"\([^"]*\)".*/\1/p' <<<"$notice")
        say "EC2 takes this machine back at $ends"
        leave $(($(date -d "$ends" +%s) - 10))
        exit 0
    fi
    state=$(imds autoscaling/target-lifecycle-state) || continue
    case $state in
    Terminated | Warmed:Terminated)
        say "the group ends this machine"
        leave
        exit 0
        ;;
    esac
done
