#!/usr/bin/env bash
# The default model into the image, for boots without the bucket; and, where there is a GPU, one token from it.
set -euo pipefail
fail() { echo "model.sh: $*" >&2 && exit 1; }
gpu=
if command -v nvidia-smi >/dev/null; then
    nvidia-smi || fail "the driver does not see the GPU after the reboot; see dmesg"
    touch /usr/share/ollama-fleet/gpu
    gpu=yes
fi
[ -n "$MODEL" ] || exit 0
baked=/usr/share/ollama-fleet/models
install -d -o ollama -g ollama $baked
OLLAMA_MODELS=$baked HOME=/var/lib/ollama OLLAMA_NO_CLOUD=1 runuser -u ollama -- /usr/bin/ollama serve >/tmp/ollama.log 2>&1 &
server=$!
for _ in $(seq 60); do
    if curl -sf -o /dev/null http://127.0.0.1:11434/; then break; fi
    sleep 1
done
ollama pull "$MODEL" >/dev/null || fail "$MODEL cannot be fetched: $(tail -n 3 /tmp/ollama.log)"
told=$(curl -sS --max-time 600 -d "{\"model\": \"$MODEL\", \"prompt\": \"Hi\", \"stream\": false, \"options\": {\"num_predict\": 1}}" http://127.0.0.1:11434/api/generate)
grep -q '"done":true' <<<"$told" || fail "$MODEL does not answer: $told"
if [ -n "$gpu" ] && curl -s http://127.0.0.1:11434/api/ps | grep -qE '"size_vram": *0[,}]'; then fail "$MODEL runs without the GPU"; fi
kill $server
wait $server || true
chown -R root:root $baked
