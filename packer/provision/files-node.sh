#!/usr/bin/env bash
# The files of a node to their places: users first, then what every machine has, then a node's own.
set -euo pipefail
cd /tmp/image/files
chmod -R u=rwX,go=rX common node
chmod 0755 common/usr/bin/* {common,node}/usr/lib/ollama-fleet/*.sh
cp -r common/. node/. /
systemd-sysusers
systemd-tmpfiles --create
