#!/usr/bin/env bash
# The files of a front to their places.
set -euo pipefail
cd /tmp/image/files
chmod -R u=rwX,go=rX common front
chmod 0755 common/usr/bin/* common/usr/lib/ollama-fleet/*.sh
cp -r common/. front/. /
systemd-sysusers
systemd-tmpfiles --create
