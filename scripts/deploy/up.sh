#!/usr/bin/env bash
# From an account to a running fleet: what the others do, in their order. Whatever is done already is skipped by them.
set -euo pipefail
here=$(dirname "$0")
IMAGES=later "$here/preflight.sh" # a missing quota is better known before an hour of building
"$here/images.sh"
"$here/deploy.sh"
"$here/edge.sh"
"$here/ui.sh"
if [ -n "${TOKEN:-}" ]; then
    "$here/smoke.sh"
else
    echo "next: the names to where it was said, make admin EMAIL=…, sign in, make smoke TOKEN=…"
fi
