#!/usr/bin/env bash
# Brings the models of MODELS to the disk: from the fleet's bucket, else the copy baked into the image, else Ollama's
# registry. A blob is named by its SHA-256; it gets its name only after it was found to have it.
# shellcheck source=packer/files/common/usr/lib/ollama-fleet/machine.sh
. /usr/lib/ollama-fleet/machine.sh
need MODELS
store=/var/lib/ollama/models
baked=/usr/share/ollama-fleet/models
part=$store/part

# Where a model's manifest lies, as Ollama has it: host/namespace/name/tag.
manifest_of() {
    local name=${1%:*} tag=${1##*:}
    [[ $1 == *:* ]] || tag=latest
    case $name in
    */*/*) echo "manifests/$name/$tag" ;;
    */*) echo "manifests/registry.ollama.ai/$name/$tag" ;;
    *) echo "manifests/registry.ollama.ai/library/$name/$tag" ;;
    esac
}

digests() { grep -oE 'sha256:[0-9a-f]{64}' "$1" | sed 's/^sha256://' | sort -u; }

# Takes a model from a place; `fetch PLACE FILE TARGET` is how.
take() {
    local fetch=$1 place=$2 manifest=$3 digest
    mkdir -p "$part" "$store/blobs"
    $fetch "$place" "$manifest" "$part/manifest" || return 1
    [ -n "$(digests "$part/manifest")" ] || return 1
    for digest in $(digests "$part/manifest"); do
        [ ! -e "$store/blobs/sha256-$digest" ] || continue
        $fetch "$place" "blobs/sha256-$digest" "$part/blob" || return 1
        if ! sha256sum --check --status <<<"$digest  $part/blob"; then
            say "blob $digest from $place is not what its name says"
            return 1
        fi
        mv "$part/blob" "$store/blobs/sha256-$digest"
    done
    mkdir -p "$(dirname "$store/$manifest")"
    mv "$part/manifest" "$store/$manifest"
}

from_bucket() { aws s3 cp --only-show-errors "s3://$1/$2" "$3"; }
from_image() { [ -e "$1/$2" ] && cp --reflink=auto "$1/$2" "$3"; }

# A server for as long as the pull takes: the real one starts after this step.
from_registry() {
    local server status=0
    chown -R ollama:ollama "$store"
    OLLAMA_HOST=127.0.0.1:11435 OLLAMA_MODELS=$store HOME=/var/lib/ollama setpriv --reuid=ollama --regid=ollama --init-groups -- ollama serve >/dev/null 2>&1 &
    server=$!
    for _ in $(seq 30); do
        if curl -sf -o /dev/null http://127.0.0.1:11435/; then break; fi
        sleep 1
    done
    OLLAMA_HOST=127.0.0.1:11435 timeout 420 ollama pull "$1" >/dev/null 2>&1 || status=1
    kill "$server" 2>/dev/null || true
    wait "$server" || true
    return $status
}

rm -rf "$part"
for model in ${MODELS//,/ }; do
    manifest=$(manifest_of "$model")
    if [ -e "$store/$manifest" ]; then
        say "$model is here"
    elif [ -n "${MODELS_BUCKET:-}" ] && take from_bucket "$MODELS_BUCKET" "$manifest"; then
        say "$model came from the bucket"
    elif take from_image "$baked" "$manifest"; then
        say "$model came from the image"
    elif from_registry "$model"; then
        say "$model came from Ollama's registry"
    else
        stop "$model is neither in the bucket ${MODELS_BUCKET:-(none)} nor in the image, and Ollama's registry did not give it"
    fi
done
rm -rf "$part"
chown -R ollama:ollama "$store"
