#!/usr/bin/env bash
# The templates deployed on an emulator, and the real programs on what that made: from zero to an answer, and back. Prints
# TAP; what was stripped of the templates is said in its comments, logs stay in target/emulated.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/emulators.sh install
cargo build --locked --quiet -p gateway -p scaler -p demo --features gateway/aws,scaler/aws
exec .tools/emulators/python/bin/python -B tests/emulated/run.py
