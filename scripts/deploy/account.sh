# shellcheck shell=bash
# Sourced by every command of the deployment: which fleet, which account, and what its stack says. ENV names the preset
# and, if FLEET does not, the fleet. Own parameters go into deployments/$ENV.json, or wherever PARAMETERS says.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
ENV=${ENV:-dev}
FLEET=${FLEET:-$ENV}
stop() {
    echo "$(basename "$0"): $*" >&2
    exit 1
}

if [ -z "${PARAMETERS:-}" ]; then
    PARAMETERS=deployments/$ENV.json
    [ -f "$PARAMETERS" ] || PARAMETERS=cloudformation/parameters/$ENV.json
fi
[ -f "$PARAMETERS" ] || stop "no parameters for ENV=$ENV; copy one of cloudformation/parameters/ to deployments/$ENV.json and fill it in"

# The command line of AWS; who has none gets the pinned one into .tools/.
if ! command -v aws >/dev/null; then
    PATH=$PWD/.tools/aws/bin:$PATH
    if ! cmp -s scripts/requirements-aws.txt .tools/aws/installed; then
        echo "installing AWS's command line into .tools/aws" >&2
        rm -rf .tools/aws
        python3 -m venv .tools/aws >/dev/null || stop "python3 cannot make environments; apt-get install python3-venv"
        .tools/aws/bin/pip install --quiet --disable-pip-version-check --require-hashes --requirement scripts/requirements-aws.txt
        cp scripts/requirements-aws.txt .tools/aws/installed
    fi
fi
export AWS_PAGER=''
AWS_REGION=${AWS_REGION:-${AWS_DEFAULT_REGION:-$(aws configure get region || true)}}
[ -n "$AWS_REGION" ] || stop "no region; set AWS_REGION"
export AWS_REGION AWS_DEFAULT_REGION=$AWS_REGION

# A parameter's value, as the stack will get it.
parameter() {
    python3 -c 'import json, sys; print({p["ParameterKey"]: p["ParameterValue"] for p in json.load(open(sys.argv[1]))}.get(sys.argv[2], ""))' "$PARAMETERS" "$1"
}

# An output of the fleet's stack, or of another, in another region.
output() {
    local value
    value=$(aws cloudformation describe-stacks --stack-name "${2:-$FLEET}" --region "${3:-$AWS_REGION}" \
        --query "Stacks[0].Outputs[?OutputKey=='$1'].OutputValue | [0]" --output text 2>/dev/null) || stop "there is no stack ${2:-$FLEET} in ${3:-$AWS_REGION}; make deploy ENV=$ENV"
    [ "$value" != None ] || value=
    echo "$value"
}

# Asks before what cannot be taken back; YES=1 answers.
agreed() {
    [ -z "${YES:-}" ] || return 0
    [ -t 0 ] || stop "$1 Nobody is there to answer; say YES=1"
    read -r -p "$1 [y/N] " answer
    [[ $answer == [yY] ]] || stop "nothing was changed"
}
