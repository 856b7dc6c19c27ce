#!/usr/bin/env bash
# Checks the CloudFormation templates, one line each (`ok name`, `not ok name`): cfn-lint, our own rules and their unit
# tests, checkov, and the checks in cloudformation/checks. Installs their tools into .tools/ on the first run, where
# cfn-guard compiles for about a minute of processor time. Nothing here asks AWS.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
tools=.tools/templates
guard=.tools/guard/bin/cfn-guard
guard_version=3.2.1
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0

# A Python tool in an environment of its own, by a file of pinned hashes.
python_tool() {
    local home=$tools/$1 pins=$2
    cmp -s "$pins" "$home/installed" && return
    echo "installing $1 into $home"
    rm -rf "$home"
    python3 -m venv "$home" >/dev/null && "$home/bin/pip" install --quiet --disable-pip-version-check \
        --require-hashes --requirement "$pins" && cp "$pins" "$home/installed"
}

# Unoptimised: it reads small files, and compiles in a third of the time.
guard_tool() {
    [ "$($guard --version 2>/dev/null)" = "cfn-guard $guard_version" ] && return
    echo "compiling cfn-guard $guard_version into .tools/guard"
    CARGO_PROFILE_DEV_DEBUG=0 cargo install --debug --locked --quiet --root .tools/guard "cfn-guard@$guard_version"
}

# One check: a command that must succeed; what it says is shown if it does not.
check() {
    local name=$1
    shift
    if "$@" >"$log" 2>&1; then
        echo "ok $name"
    else
        echo "not ok $name"
        sed 's/^/  /' "$log"
        status=1
    fi
}

# A program that prints such lines itself.
checks() {
    "$tools/lint/bin/python" -B "cloudformation/checks/$1.py" || status=1
}

python_tool lint scripts/requirements-templates.txt || exit 1
python_tool checkov scripts/requirements-checkov.txt || exit 1
guard_tool || exit 1

# W3002 asks for `aws cloudformation package`, which is how these templates are meant to be deployed.
check "cfn-lint: templates, nested parameters and outputs" "$tools/lint/bin/cfn-lint" --ignore-checks W3002 \
    --regions us-east-1 eu-west-1 -t cloudformation/*.yaml cloudformation/stacks/*.yaml
for rules in cloudformation/guard/*.guard; do
    name=$(basename "$rules" .guard)
    check "rules of $name: unit tests" "$guard" test -r "$rules" -t "cloudformation/guard/tests/${name}_tests.yaml"
    check "rules of $name: the templates" "$guard" validate -S fail -r "$rules" -d cloudformation/stacks \
        -d cloudformation/edge.yaml -d cloudformation/ollama-fleet.yaml
done
check "checkov" "$tools/checkov/bin/checkov" -d cloudformation --config-file cloudformation/checks/checkov.yaml
check "docs/operate/costs.md is what scripts/costs.py says" scripts/costs.py --check
# The machines' files are also shown to gateway and scaler, where those are built anyway.
if [ -n "${PROGRAMS:-}" ]; then
    check "gateway and scaler for AWS are built" cargo build --locked --quiet --workspace --bins --features gateway/aws,scaler/aws
else
    echo "note: gateway and scaler were not asked about the machines' files; PROGRAMS=target/debug does"
fi
for program in shape inputs told page mutations; do checks $program; done
exit $status
