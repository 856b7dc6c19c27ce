#!/usr/bin/env bash
# Gateway and scaler for both processors, the bot for the fronts', into target/programs/, against AL2023's glibc 2.34: zig
# is the linker that can.
set -euo pipefail
cd "$(dirname "$0")/../.."
if ! cmp -s scripts/requirements-programs.txt .tools/zig/installed; then
    rm -rf .tools/zig
    python3 -m venv .tools/zig >/dev/null
    .tools/zig/bin/pip install --quiet --disable-pip-version-check --require-hashes --requirement scripts/requirements-programs.txt
    cp scripts/requirements-programs.txt .tools/zig/installed
fi
PATH=$PWD/.tools/zig/bin:$PATH
for machine in x86_64 aarch64; do
    target=$machine-unknown-linux-gnu
    rustup target add "$target" >/dev/null || { echo "programs.sh: rustup has no $target" >&2 && exit 1; }
    programs=(gateway scaler)
    [ $machine != aarch64 ] || programs+=(bot)
    cargo-zigbuild zigbuild --locked --release --target "$target.2.34" "${programs[@]/#/-p}" --features gateway/aws,scaler/aws
    install -D -t "target/programs/$machine" "${programs[@]/#/target/$target/release/}"
done
