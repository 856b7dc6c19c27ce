#!/usr/bin/env bash
# The files of a front to their places.
set -euo pipefail
cd /tmp/image/files
cp -r common/. front/. /
systemd-sysusers
systemd-tmpfiles --create
