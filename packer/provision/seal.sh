#!/usr/bin/env bash
# Leaves nothing of the build behind: no keys, no identity, no logs; and nobody logs in by SSH.
set -euo pipefail
systemctl mask sshd.service sshd.socket # Packer's own session lives on until the machine stops
date +%s >/usr/share/ollama-fleet/built
rm -rf /tmp/image /root/.cache /var/cache/dnf /var/log/ollama-fleet/* /var/lib/ollama/.ollama
rm -f /etc/ssh/ssh_host_* /root/.ssh/authorized_keys /home/*/.ssh/authorized_keys /root/.bash_history /home/*/.bash_history
cloud-init clean --logs
truncate -s 0 /etc/machine-id
journalctl --rotate && journalctl --vacuum-time=1s
fstrim / # snapshots are paid by the written block
