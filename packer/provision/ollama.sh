#!/usr/bin/env bash
# Ollama, the pinned release, by its checksum. It ships the CUDA libraries; those of other makers' GPUs are left out.
set -euo pipefail
fail() { echo "ollama.sh: $*" >&2 && exit 1; }
archive=/tmp/ollama.tar.zst
curl -fsSL --retry 5 -o $archive "https://github.com/ollama/ollama/releases/download/v$OLLAMA/ollama-linux-amd64.tar.zst" ||
    fail "release $OLLAMA cannot be fetched"
sha256sum --check --status <<<"$OLLAMA_SHA256  $archive" ||
    fail "the archive is not the one pinned; compare with sha256sum.txt of the release before changing versions.pkrvars.hcl"
tar --zstd -C /usr -xf $archive
rm $archive
rm -rf /usr/lib/ollama/rocm* /usr/lib/ollama/vulkan* /usr/lib/ollama/mlx*
/usr/bin/ollama --version 2>/dev/null | grep -qF "$OLLAMA" || fail "ollama does not run, or is not $OLLAMA"
