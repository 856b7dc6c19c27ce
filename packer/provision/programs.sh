#!/usr/bin/env bash
# Gateway and scaler, on a front the bot too, built for this machine's processor.
set -euo pipefail
fail() { echo "programs.sh: $*" >&2 && exit 1; }
cd "/tmp/image/programs/$(uname -m)" || fail "no programs for $(uname -m); run scripts/deploy/programs.sh"
programs=(gateway scaler)
[ "$KIND" != front ] || programs+=(bot)
for program in "${programs[@]}"; do
    install -m 0755 "$program" "/usr/bin/$program"
    "/usr/bin/$program" --version || fail "$program does not run here; was it built against a newer glibc than AL2023's 2.34?"
done
