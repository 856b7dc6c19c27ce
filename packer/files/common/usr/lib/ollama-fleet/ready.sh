#!/usr/bin/env bash
# Last step of a boot: waits until the gateway is ready and tells the group, which then sends it requests.
# shellcheck source=packer/files/common/usr/lib/ollama-fleet/machine.sh
. /usr/lib/ollama-fleet/machine.sh
for _ in $(seq 240); do # 480 s; the hook gives up after 600
    if curl -skf --max-time 5 -o /dev/null "https://127.0.0.1:$PORT/readyz"; then
        say "ready after $(cut -d. -f1 /proc/uptime) s"
        [ -z "${LAUNCH_HOOK:-}" ] || end_hook "$LAUNCH_HOOK" CONTINUE || stop "the group was not told"
        exit 0
    fi
    sleep 2
done
stop "the gateway was not ready within 480 s; its log says what it waits for"
