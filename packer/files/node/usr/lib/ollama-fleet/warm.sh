#!/usr/bin/env bash
# Has Ollama load the models of MODELS and keep them, and looks that they are on the GPU where the machine has one. What
# does not load here would not load under requests either, and here it still stops the boot. Also tells the gateway how much
# memory the GPU has: that one runs without any device.
# shellcheck source=packer/files/common/usr/lib/ollama-fleet/machine.sh
. /usr/lib/ollama-fleet/machine.sh
need MODELS
ollama=http://127.0.0.1:11434
up=
for _ in $(seq 60); do
    if curl -sf --max-time 5 -o /dev/null "$ollama/api/version"; then up=yes && break; fi
    sleep 1
done
[ -n "$up" ] || stop "Ollama does not answer; see its log"

load() { curl -sS --max-time 300 -H 'Content-Type: application/json' -d "$2" "$ollama$1" 2>&1; }
for model in ${MODELS//,/ }; do
    told=$(load /api/generate "{\"model\": \"$model\", \"keep_alive\": -1}") || stop "$model does not load: $told"
    if [[ $told == *'does not support generate'* ]]; then
        told=$(load /api/embed "{\"model\": \"$model\", \"input\": \"a\", \"keep_alive\": -1}") || stop "$model does not load: $told"
    fi
    [[ $told != *'"error"'* ]] || stop "$model does not load: $told"
done

if [ -e /usr/share/ollama-fleet/gpu ]; then
    nvidia-smi >/dev/null 2>&1 || stop "the GPU's driver does not answer; nvidia-smi says why"
    loaded=$(curl -sf --max-time 10 "$ollama/api/ps") || stop "Ollama does not say what is loaded"
    if grep -qE '"size_vram": *0[,}]' <<<"$loaded"; then stop "a model runs without the GPU: $loaded"; fi
    memory=$(nvidia-smi --query-gpu=memory.total --format=csv,noheader,nounits | paste -sd+)
    if [[ $memory =~ ^[0-9]+(\+[0-9]+)*$ ]]; then echo "GATEWAY__OLLAMA__GPU_MEMORY_BYTES=$(((memory) << 20))" >>/run/ollama-fleet/boot.env; fi
fi
say "loaded: $MODELS"
