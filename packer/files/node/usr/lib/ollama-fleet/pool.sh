#!/usr/bin/env bash
# A start that ends in the warm pool: reads everything on the root volume once, so that no block has to come from the
# snapshot when it matters, and tells the group, which then stops the machine. Serves nobody.
# shellcheck source=packer/files/common/usr/lib/ollama-fleet/machine.sh
. /usr/lib/ollama-fleet/machine.sh
need LAUNCH_HOOK
renew() { while sleep 60; do renew_hook "$LAUNCH_HOOK"; done; }
renew &
renewing=$!
trap 'kill $renewing 2>/dev/null || true' EXIT
# Programs and the driver first: half of them read is worth more than half a model.
for folder in /boot /etc /opt /usr/lib /usr/lib64 /usr/bin /usr/sbin /usr/local /usr/share /var; do
    [ ! -d "$folder" ] || find "$folder" -xdev -type f -size +0 -print0 | xargs -0 -r -n 64 -P 4 cat >/dev/null 2>&1 || true
done
end_hook "$LAUNCH_HOOK" CONTINUE || stop "the group was not told; it will stop waiting by itself"
say "the volume is read; ready for the pool"
