#!/usr/bin/env bash
# A step of the boot failed, or a program gave up: sends what is known off the machine, then has the group replace it.
# The first failure counts; what fails because of it is silent. Called with the unit's name.
# shellcheck source=packer/files/common/usr/lib/ollama-fleet/machine.sh
. /usr/lib/ollama-fleet/machine.sh
unit=$1
mkdir -p /run/ollama-fleet
mkdir /run/ollama-fleet/failed 2>/dev/null || exit 0
INSTANCE=${INSTANCE:-$(imds instance-id || echo unknown)}
AWS_REGION=${AWS_REGION:-$(imds placement/region || true)}
export AWS_REGION

say "$unit failed; this machine gives itself up"
last_words() {
    echo "$unit failed on $INSTANCE"
    tail -n 40 /var/log/ollama-fleet/boot.log 2>/dev/null || true
    journalctl --unit "$unit" --lines 40 --no-pager --output cat 2>/dev/null || true
}
words=$(last_words | tail -c 60000)
printf '%s\n' "$words" >/dev/console 2>/dev/null || true # aws ec2 get-console-output shows it

# Not by the agent: the machine may be gone before its next batch.
if [ -n "${LOG_GROUP:-}" ]; then
    stream=$INSTANCE/last-words
    aws logs create-log-stream --log-group-name "$LOG_GROUP" --log-stream-name "$stream" >/dev/null 2>&1 || true
    events=$(WORDS=$words python3 -c 'import json, os, time; print(json.dumps([{"timestamp": int(time.time() * 1000), "message": os.environ["WORDS"]}]))')
    aws logs put-log-events --log-group-name "$LOG_GROUP" --log-stream-name "$stream" --log-events "$events" >/dev/null 2>&1 ||
        say "the last words were not sent"
fi

if [ -n "${GROUP:-}" ] && [ -n "${LAUNCH_HOOK:-}" ]; then end_hook "$LAUNCH_HOOK" ABANDON || true; fi
for _ in 1 2 3 4 5; do
    if aws autoscaling set-instance-health --instance-id "$INSTANCE" --health-status Unhealthy \
        --no-should-respect-grace-period >/dev/null 2>&1; then
        say "marked unhealthy"
        exit 0
    fi
    sleep 10
done
stop "the group was not told; its status checks or the hook's end must do"
