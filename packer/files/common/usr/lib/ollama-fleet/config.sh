#!/usr/bin/env bash
# The gateway takes what it was told. After certificate.sh: it looks whether its certificate is there.
# shellcheck source=packer/files/common/usr/lib/ollama-fleet/machine.sh
. /usr/lib/ollama-fleet/machine.sh
told=$(gateway check-config --config /etc/ollama-fleet/gateway.toml 2>&1) || stop "gateway.toml: $told"
