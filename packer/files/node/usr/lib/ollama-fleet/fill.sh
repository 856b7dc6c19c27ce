#!/usr/bin/env bash
# After the boot: puts models that the bucket lacks into it, so that the next node takes them from there. Blobs first,
# the manifest last: what has a manifest is whole.
# shellcheck source=packer/files/common/usr/lib/ollama-fleet/machine.sh
. /usr/lib/ollama-fleet/machine.sh
[ -n "${MODELS_BUCKET:-}" ] || exit 0
cd /var/lib/ollama/models
there() { aws s3api head-object --bucket "$MODELS_BUCKET" --key "$1" >/dev/null 2>&1; }
find manifests -type f | while read -r manifest; do
    ! there "$manifest" || continue
    grep -oE 'sha256:[0-9a-f]{64}' "$manifest" | sed 's/^sha256://' | sort -u | while read -r digest; do
        there "blobs/sha256-$digest" || aws s3 cp --only-show-errors "blobs/sha256-$digest" "s3://$MODELS_BUCKET/blobs/sha256-$digest" ||
            stop "blob $digest did not reach the bucket"
    done
    aws s3 cp --only-show-errors "$manifest" "s3://$MODELS_BUCKET/$manifest" || stop "$manifest did not reach the bucket"
    say "$manifest is in the bucket now"
done
