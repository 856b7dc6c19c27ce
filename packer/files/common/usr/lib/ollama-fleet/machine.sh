# shellcheck shell=bash
# Sourced by every step of the boot: one way to say something, to stop, and to ask the machine about itself. What is
# said goes to /var/log/ollama-fleet/boot.log, which the agent ships.
set -euo pipefail
# What settle.sh has found out, also for what its own unit runs next.
# shellcheck source=/dev/null
[ ! -r /run/ollama-fleet/boot.env ] || . /run/ollama-fleet/boot.env

say() { printf '%s %s: %s\n' "$(date -u +%FT%TZ)" "$(basename "$0" .sh)" "$*"; }

# Ends the step; the unit's OnFailure= sends the log away and gives the machine up.
stop() {
    say "stopped: $*"
    exit 1
}

# Each of these variables must have a value.
need() {
    local name
    for name in "$@"; do [ -n "${!name:-}" ] || stop "$name is not set; user data did not write it, see cloud-init's log"; done
}

# A value of the instance's metadata. Status 4: there is none (404, a normal answer for some); 1: nobody answered.
imds() {
    local base=http://169.254.169.254/latest token answer
    token=$(curl -sf --retry 3 --retry-connrefused --max-time 5 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 300' "$base/api/token") || return 1
    answer=$(curl -s --retry 3 --max-time 5 -w '\n%{http_code}' -H "X-aws-ec2-metadata-token: $token" "$base/meta-data/$1") || return 1
    case ${answer##*$'\n'} in
    200) printf '%s\n' "${answer%$'\n'*}" ;;
    404) return 4 ;;
    *) return 1 ;;
    esac
}

# Tells the group how this machine's lifecycle hook ended: CONTINUE or ABANDON. A hook that nobody waits for any more
# (a reboot in service) is no error.
end_hook() {
    local hook=$1 result=$2 told
    for _ in 1 2 3; do
        if told=$(aws autoscaling complete-lifecycle-action --auto-scaling-group-name "$GROUP" --instance-id "$INSTANCE" \
            --lifecycle-hook-name "$hook" --lifecycle-action-result "$result" 2>&1); then
            say "hook $hook: $result"
            return 0
        fi
        if [[ $told == *"No active Lifecycle Action"* ]]; then
            say "hook $hook: nobody waits for it"
            return 0
        fi
        sleep 5
    done
    say "hook $hook: $told"
    return 1
}

# Asks the group to wait on.
renew_hook() {
    aws autoscaling record-lifecycle-action-heartbeat --auto-scaling-group-name "$GROUP" --instance-id "$INSTANCE" \
        --lifecycle-hook-name "$1" >/dev/null 2>&1 || say "hook $1 was not renewed"
}
