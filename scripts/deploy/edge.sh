#!/usr/bin/env bash
# The page's stack, in us-east-1; nothing where the fleet is not reached from the internet.
# shellcheck source=scripts/deploy/account.sh
. "$(dirname "$0")/account.sh"
if [ "$(parameter Reach)" != internet ]; then
    echo "no page on CloudFront with Reach=$(parameter Reach)"
    exit 0
fi
[ -n "${EDGE_CERTIFICATE:-}" ] || stop "EDGE_CERTIFICATE: the ARN of a certificate for $(parameter Domain) in us-east-1"
aws cloudformation deploy --region us-east-1 --stack-name "$FLEET-page" --template-file cloudformation/edge.yaml \
    --no-fail-on-empty-changeset --tags "Fleet=$FLEET" --parameter-overrides "Domain=$(parameter Domain)" "CertificateArn=$EDGE_CERTIFICATE" \
    "AllowedRanges=$(parameter AllowedRanges)" "SignInUrl=$(output SignInUrl)" "AlarmMail=$(parameter AlarmMail)" ||
    stop "the page's stack failed; aws cloudformation describe-stack-events --region us-east-1 --stack-name $FLEET-page"
echo "point $(parameter Domain) to $(output Address "$FLEET-page" us-east-1)"
