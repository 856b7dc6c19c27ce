#!/usr/bin/env bash
# What is missing in the account for this fleet: one line each, with what to do. Changes nothing. IMAGES=later leaves them out.
# shellcheck source=scripts/deploy/account.sh
. "$(dirname "$0")/account.sh"
missing=0
good() { echo "ok       $*"; }
bad() {
    missing=$((missing + 1))
    echo "missing  $*"
}

account=$(aws sts get-caller-identity --query Account --output text 2>/dev/null) || stop "AWS does not know you; aws configure, or aws sso login"
good "account $account, $AWS_REGION, fleet $FLEET by $PARAMETERS"
[[ $FLEET =~ ^[a-z][a-z0-9-]{1,19}$ ]] || bad "the name $FLEET: 2 to 20 lower-case letters, digits and hyphens; set FLEET"

domain=$(parameter Domain)
own() { # parameter, pattern of the presets' example, what it is
    # shellcheck disable=SC2053  # a pattern
    if [[ $(parameter "$1") == $2 ]]; then bad "your own $1, $3; put it into deployments/$ENV.json"; else good "$1 $(parameter "$1")"; fi
}
own Domain '*example.com' "the page's name"
own AllowedRanges '203.0.113.*' "where VPN and company come from on the internet"
own AlarmMail '*@example.com' "who is told"

# A node is four processors on every type of the parameters' list; Spot has a quota of its own.
nodes=$(parameter Nodes)
share=$(parameter Capacity)
spot=${share#wide-}
[ "$spot" != warm ] || spot=0
quota() { # code, name, processors that are wanted
    local has
    [ "$3" -gt 0 ] || return 0
    has=$(aws service-quotas get-service-quota --service-code ec2 --quota-code "$1" --query Quota.Value --output text 2>/dev/null || echo 0)
    if [ "${has%.*}" -ge "$3" ]; then good "quota of $2: ${has%.*} processors"; else
        bad "quota of $2: ${has%.*} processors, ${nodes#*-} nodes want $3. aws service-quotas request-service-quota-increase --service-code ec2 --quota-code $1 --desired-value $3"
    fi
}
wanted=$((${nodes#*-} * 4))
if [ "$spot" -lt 100 ]; then quota L-DB2E81BA "Running On-Demand G and VT instances" $wanted; fi
if [ "$spot" -gt 0 ]; then quota L-3819A6DF "All G and VT Spot Instance Requests" $wanted; fi

certificate() { # arn, region, name
    local state names
    state=$(aws acm describe-certificate --certificate-arn "$1" --region "$2" --query Certificate.Status --output text 2>/dev/null || echo none)
    names=$(aws acm describe-certificate --certificate-arn "$1" --region "$2" --query 'Certificate.SubjectAlternativeNames' --output text 2>/dev/null || true)
    if [ "$state" != ISSUED ]; then
        bad "certificate for $3 in $2 ($state). aws acm request-certificate --region $2 --domain-name $3 --validation-method DNS"
    elif ! tr '\t' '\n' <<<"$names" | grep -qxF -e "$3" -e "*.${3#*.}"; then
        bad "certificate for $3: the one given is for $names"
    else good "certificate for $3 in $2"; fi
}
case $(parameter Reach) in
internet)
    certificate "$(parameter CertificateArn)" "$AWS_REGION" "api.$domain"
    if [ -n "${EDGE_CERTIFICATE:-}" ]; then certificate "$EDGE_CERTIFICATE" us-east-1 "$domain"; else bad "EDGE_CERTIFICATE: the ARN of a certificate for $domain in us-east-1, for the page"; fi
    ;;
internal) certificate "$(parameter CertificateArn)" "$AWS_REGION" "$domain" ;;
esac

roles=node
[ "${IMAGES:-}" != later ] || roles=
if [ -n "$roles" ] && [ "$(parameter Fronts)" != 0 ]; then roles="node front"; fi
for role in $roles; do
    image=$(aws ssm get-parameter --name "/ollama-fleet/images/$role" --query Parameter.Value --output text 2>/dev/null || true)
    if [ -z "$image" ]; then
        bad "image of the $role; make images ENV=$ENV"
    elif [ "$(aws ec2 describe-images --image-ids "$image" --query 'Images[0].State' --output text 2>/dev/null || true)" = available ]; then
        good "image of the $role: $image"
    else bad "image of the $role: $image is not there any more; make images ENV=$ENV"; fi
done
# Nothing waits for it, but what was spent before is not counted for the fleet. It cannot be switched on before AWS has seen
# it, about a day after the first stack, and only in the account that pays. The question costs a cent.
tag=$(aws ce list-cost-allocation-tags --tag-keys Fleet --region us-east-1 --query 'CostAllocationTags[0].Status' --output text 2>/dev/null || echo unknown)
if [ "$tag" = Active ]; then good "cost allocation tag Fleet"; else
    echo "later    cost allocation tag Fleet ($tag): the room of costs shows nothing of Cost Explorer without it. A day after the first deployment, in the account that pays: aws ce update-cost-allocation-tags-status --region us-east-1 --cost-allocation-tags-status TagKey=Fleet,Status=Active"
fi
[ $missing -eq 0 ] || stop "$missing missing"
