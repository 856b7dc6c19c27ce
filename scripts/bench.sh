#!/usr/bin/env bash
# Measures the gateway beside nginx and HAProxy: installs those and strace where missing (Debian), builds in release,
# and passes its arguments on to `bench` (--help lists them).
set -euo pipefail
cd "$(dirname "$0")/.."

missing=()
for package in nginx haproxy strace; do
    command -v "$package" >/dev/null || missing+=("$package")
done
command -v ss >/dev/null || missing+=(iproute2)
if [ ${#missing[@]} -gt 0 ]; then
    echo "installing ${missing[*]}" >&2
    apt-get update -qq
    # Runlevel 1: the packages' own services stay off.
    RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
fi
cargo build --locked --quiet --release -p gateway -p bench
exec target/release/bench "$@"
