#!/usr/bin/env bash
# The facts about an image, asked before it becomes one. Facts about a booted machine stand in goss/booted-*.yaml.
set -euo pipefail
fail() { echo "verify.sh: $*" >&2 && exit 1; }
case $(uname -m) in
x86_64) file=goss-linux-amd64 sum=$GOSS_SHA256_X86_64 ;;
aarch64) file=goss-linux-arm64 sum=$GOSS_SHA256_AARCH64 ;;
*) fail "no goss for $(uname -m)" ;;
esac
curl -fsSL --retry 5 -o /usr/bin/goss "https://github.com/goss-org/goss/releases/download/v$GOSS/$file" || fail "goss cannot be fetched"
sha256sum --check --status <<<"$sum  /usr/bin/goss" || fail "goss is not the one pinned"
chmod 0755 /usr/bin/goss
install -d /usr/share/ollama-fleet/facts
install -m 0644 /tmp/image/goss/*.yaml /usr/share/ollama-fleet/facts/
goss --gossfile "/usr/share/ollama-fleet/facts/image-$KIND.yaml" validate --format tap || fail "the image is not as it should be"
