#!/usr/bin/env bash
# What starts at boot.
set -euo pipefail
systemctl daemon-reload
cd /etc/systemd/system
mapfile -t units < <(grep -lE '^WantedBy=' ollama*.service ollama*.timer ollama*.path 2>/dev/null || true)
systemctl enable "${units[@]}"
