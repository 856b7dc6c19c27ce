#!/usr/bin/env bash
# What starts at boot.
set -euo pipefail
systemctl daemon-reload
cd /etc/systemd/system
mapfile -t units < <(grep -lE '^WantedBy=' ollama*.service ollama*.timer)
systemctl enable "${units[@]}"
