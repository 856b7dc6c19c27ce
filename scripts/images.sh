#!/usr/bin/env bash
# Checks the golden images as far as a machine without AWS can, one line each (`ok name`, `not ok name`): Packer reads
# the build, systemd takes the units and finds their walls in place, the scripts are clean, and the boot runs on a
# pretended machine. Installs Packer and systemd's analyzer by Debian's packages, the rest into .tools/ by pinned hashes.
# shellcheck disable=SC2329  # `check` calls functions by name
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
tools=.tools/images
pins=scripts/requirements-images.txt
export CHECKPOINT_DISABLE=1 # Packer would ask for news of itself
log=$(mktemp)
programs=$(mktemp -d)
trap 'rm -rf "$log" "$programs"' EXIT
status=0

# A program of one of Debian's packages.
debian() {
    command -v "$1" >/dev/null && return
    echo "installing $2"
    if ! command -v apt-get >/dev/null || [ "$(id -u)" -ne 0 ]; then
        echo "scripts/images.sh: $1 is missing; install it first: apt-get install $2" >&2
        return 1
    fi
    { apt-get -o DPkg::Lock::Timeout=300 update && apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "$2"; } >"$log" 2>&1 || {
        cat "$log"
        return 1
    }
}

readers() {
    cmp -s $pins $tools/installed && return
    echo "installing what reads HCL and YAML into $tools"
    rm -rf $tools
    python3 -m venv $tools >/dev/null && $tools/bin/pip install --quiet --disable-pip-version-check --require-hashes \
        --requirement $pins && cp $pins $tools/installed
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

# The build as Packer reads it. The folder's other file is for newer ones only.
validate() {
    packer validate -var-file=packer/versions.pkrvars.hcl -var version=checked -var builder_profile=builder \
        -var programs="$programs" -var page="$programs" "$@" packer/images.pkr.hcl
}

refuses() { # a sentence, for these variables
    local sentence=$1
    shift
    ! validate "$@" >"$log.refused" 2>&1 && tr -s '\n ' ' ' <"$log.refused" | grep -qF "$sentence"
    local result=$?
    rm -f "$log.refused"
    return "$result"
}

formatted() {
    local file bad=0
    for file in packer/*.hcl; do packer fmt -check "$file" >/dev/null || { echo "packer fmt $file" && bad=1; }; done
    return "$bad"
}

debian packer packer || exit 1
debian systemd-analyze systemd || exit 1
readers || exit 1
scripts/tools.sh || exit 1

check "packer takes the build" validate -var base=2023.1.20250101.0
check "packer refuses a build without a pinned base" refuses "run scripts/deploy/pin.sh" -var base=
check "packer refuses a short checksum" refuses "must be 64 hexadecimal digits" -var base=2023.1.20250101.0 -var ollama_sha256=0123
check "packer's files are formatted" formatted
check "scripts" .tools/python/bin/shellcheck packer/provision/*.sh packer/files/*/usr/lib/ollama-fleet/*.sh packer/files/common/usr/bin/fleet
for program in form units boot; do $tools/bin/python -B packer/checks/$program.py || status=1; done
exit $status
