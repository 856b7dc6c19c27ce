#!/usr/bin/env bash
# Ends a fleet: first the scaler, so that nothing wakes it; then the nodes by name, the pool, the load
# balancer's protection, the stacks.
# What people made (table, models, archive, accounts, logs) is kept by the templates, protected from deletion as before, and
# is listed: docs/operate/uninstall.md ends that too.
# shellcheck source=scripts/deploy/account.sh
. "$(dirname "$0")/account.sh"
aws cloudformation describe-stacks --stack-name "$FLEET" >/dev/null 2>&1 || stop "there is no stack $FLEET in $AWS_REGION"
[ "${NAME:-}" = "$FLEET" ] || stop "this ends the fleet $FLEET; to say that you mean it: make destroy ENV=$ENV NAME=$FLEET"

instances() { aws autoscaling describe-auto-scaling-groups --auto-scaling-group-names "$1" --query 'AutoScalingGroups[0].Instances[].InstanceId' --output text 2>/dev/null | grep -v '^None$' || true; }
gone() { # a group's machines, within 20 minutes: a stream may run for 15
    for _ in $(seq 80); do
        [ -n "$(instances "$1")" ] || return 0
        sleep 15
    done
    stop "machines of $1 are still there: $(instances "$1")"
}
if [ "$(parameter Fronts)" != 0 ]; then
    aws autoscaling update-auto-scaling-group --auto-scaling-group-name "$FLEET-fronts" --min-size 0 --max-size 0 --desired-capacity 0 2>/dev/null || true
    gone "$FLEET-fronts"
    echo "the scaler has ended"
fi
if [ "$(aws autoscaling describe-warm-pool --auto-scaling-group-name "$FLEET-nodes" --query 'length(Instances)' --output text 2>/dev/null || echo 0)" != 0 ]; then
    aws autoscaling delete-warm-pool --auto-scaling-group-name "$FLEET-nodes" --force-delete >/dev/null
    echo "the pool is empty"
fi
aws autoscaling update-auto-scaling-group --auto-scaling-group-name "$FLEET-nodes" --min-size 0 2>/dev/null || true
for instance in $(instances "$FLEET-nodes"); do
    aws autoscaling terminate-instance-in-auto-scaling-group --instance-id "$instance" --should-decrement-desired-capacity >/dev/null || true
    echo "$instance drains"
done
gone "$FLEET-nodes"

balancer=$(aws elbv2 describe-load-balancers --names "$FLEET" --query 'LoadBalancers[0].LoadBalancerArn' --output text 2>/dev/null || true)
if [[ $balancer == arn:* ]]; then
    aws elbv2 modify-load-balancer-attributes --load-balancer-arn "$balancer" --attributes Key=deletion_protection.enabled,Value=false >/dev/null ||
        stop "the load balancer keeps its protection from deletion"
fi
aws cloudformation delete-stack --stack-name "$FLEET-page" --region us-east-1
aws cloudformation delete-stack --stack-name "$FLEET"
aws cloudformation wait stack-delete-complete --stack-name "$FLEET" || stop "not everything could be deleted; aws cloudformation describe-stack-events --stack-name $FLEET"
echo "the fleet is gone. Still there, and yours to keep or delete (docs/operate/uninstall.md):"
aws resourcegroupstaggingapi get-resources --tag-filters "Key=Fleet,Values=$FLEET" --query 'ResourceTagMappingList[].ResourceARN' --output text | tr '\t' '\n'
