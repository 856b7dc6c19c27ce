#!/usr/bin/env bash
# Makes or changes a fleet: packages the templates, shows what will change, asks, does it, and waits.
# shellcheck source=scripts/deploy/account.sh
. "$(dirname "$0")/account.sh"
account=$(aws sts get-caller-identity --query Account --output text 2>/dev/null) || stop "AWS does not know you; aws configure, or aws sso login"
bucket=ollama-fleet-templates-$account-$AWS_REGION
if ! aws s3api head-bucket --bucket "$bucket" 2>/dev/null; then
    aws s3 mb "s3://$bucket" >/dev/null || stop "the bucket $bucket for templates cannot be made"
    aws s3api put-public-access-block --bucket "$bucket" --public-access-block-configuration \
        BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true
fi
mkdir -p target/deploy
template=target/deploy/$FLEET.yaml
aws cloudformation package --template-file cloudformation/ollama-fleet.yaml --s3-bucket "$bucket" --output-template-file "$template" >/dev/null ||
    stop "the templates cannot be packaged"

state=$(aws cloudformation describe-stacks --stack-name "$FLEET" --query 'Stacks[0].StackStatus' --output text 2>/dev/null || echo none)
case $state in
none | REVIEW_IN_PROGRESS) type=CREATE ;;
ROLLBACK_COMPLETE | ROLLBACK_FAILED) stop "the stack was never made ($state); see its events, then: make destroy ENV=$ENV, and again" ;;
*_IN_PROGRESS) stop "the stack is being changed ($state); wait for it" ;;
*) type=UPDATE ;;
esac
set=change-$(date +%s)
aws cloudformation create-change-set --stack-name "$FLEET" --change-set-name "$set" --change-set-type "$type" --include-nested-stacks \
    --template-body "file://$template" --parameters "file://$PARAMETERS" --tags "Key=Fleet,Value=$FLEET" \
    --capabilities CAPABILITY_IAM CAPABILITY_AUTO_EXPAND >/dev/null
if ! aws cloudformation wait change-set-create-complete --stack-name "$FLEET" --change-set-name "$set" 2>/dev/null; then
    why=$(aws cloudformation describe-change-set --stack-name "$FLEET" --change-set-name "$set" --query StatusReason --output text)
    aws cloudformation delete-change-set --stack-name "$FLEET" --change-set-name "$set" >/dev/null 2>&1 || true
    if [[ $why == *"didn't contain changes"* || $why == *"No updates"* ]]; then
        echo "nothing to change"
        exit 0
    fi
    stop "refused: $why"
fi
aws cloudformation describe-change-set --stack-name "$FLEET" --change-set-name "$set" \
    --query 'Changes[].ResourceChange.[Action, LogicalResourceId, ResourceType, Replacement]' --output table
echo "asleep it costs about \$$(scripts/costs.py "$PARAMETERS" | sed -n 's/.*in all\*\* | \*\*\([0-9.,]*\).*/\1/p') a month (docs/operate/costs.md)"
agreed "Do this to $FLEET?"
aws cloudformation execute-change-set --stack-name "$FLEET" --change-set-name "$set"
what=$(tr '[:upper:]' '[:lower:]' <<<"$type")
aws cloudformation wait "stack-$what-complete" --stack-name "$FLEET" ||
    stop "it failed: $(aws cloudformation describe-stack-events --stack-name "$FLEET" --query "StackEvents[?contains(ResourceStatus, 'FAILED')] | [-1].ResourceStatusReason" --output text)"
echo "point the name of $(output Gateway) to $(output Address)"
[ "$type" = CREATE ] || echo "running machines keep what they have; scripts/deploy/refresh.sh replaces them, drained"
