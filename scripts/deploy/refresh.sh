#!/usr/bin/env bash
# Replaces machines that run another launch template than the stack's: new ones first, the old ones drained. BACK=1 rolls
# a running refresh back.
# shellcheck source=scripts/deploy/account.sh
. "$(dirname "$0")/account.sh"
groups=$FLEET-nodes
[ "$(parameter Fronts)" = 0 ] || groups="$FLEET-nodes $FLEET-fronts"
for group in $groups; do
    if [ -n "${BACK:-}" ]; then
        aws autoscaling rollback-instance-refresh --auto-scaling-group-name "$group" >/dev/null || stop "no refresh of $group runs that could go back; promote the image before (BACK=1 scripts/deploy/promote.sh), deploy, refresh"
        echo "$group: on its way back"
        continue
    fi
    told=$(aws autoscaling start-instance-refresh --auto-scaling-group-name "$group" --preferences \
        '{"MinHealthyPercentage":100,"MaxHealthyPercentage":200,"ScaleInProtectedInstances":"Refresh","StandbyInstances":"Ignore","SkipMatching":true}' 2>&1) ||
        { [[ $told == *InProgress* ]] || stop "$group: $told"; }
    echo "$group: being replaced; aws autoscaling describe-instance-refreshes --auto-scaling-group-name $group --max-records 1"
done
