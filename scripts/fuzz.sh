#!/usr/bin/env bash
# Fuzzes each parser of ours for some seconds (SECONDS_EACH, 60), or those named. New inputs go to fuzz/corpus; what
# breaks is printed, kept under fuzz/artifacts, and belongs into fuzz/seeds with its fix: `make check` replays those.
set -euo pipefail
cd "$(dirname "$0")/.."
version=0.13.2

if ! rustc +nightly --version >/dev/null 2>&1; then
    echo "fuzzing needs a nightly toolchain: rustup toolchain install nightly --profile minimal"
    exit 1
fi
export PATH=$PWD/.tools/bin:$PATH
if [ "$(.tools/bin/cargo-fuzz --version 2>/dev/null)" != "cargo-fuzz $version" ]; then
    echo "compiling cargo-fuzz $version into .tools/"
    cargo install --locked --quiet --root .tools "cargo-fuzz@$version"
fi

if [ $# -eq 0 ]; then
    for target in fuzz/fuzz_targets/*.rs; do set -- "$@" "$(basename "$target" .rs)"; done
fi
for target in "$@"; do
    mkdir -p "fuzz/corpus/$target"
    cargo +nightly fuzz run "$target" "fuzz/corpus/$target" "fuzz/seeds/$target" -- \
        -max_total_time="${SECONDS_EACH:-60}" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1
done
