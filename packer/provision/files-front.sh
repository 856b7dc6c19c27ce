#!/usr/bin/env bash
# The files of a front to their places, and the page, whose settings are user data's to write.
set -euo pipefail
fail() { echo "files-front.sh: $*" >&2 && exit 1; }
cd /tmp/image/files
chmod -R u=rwX,go=rX common front
chmod 0755 common/usr/bin/* {common,front}/usr/lib/ollama-fleet/*.sh
cp -r common/. front/. /
[ -f /tmp/image/page/index.html ] || fail "the folder of the page has no index.html; run scripts/deploy/page.sh"
rm -f /tmp/image/page/config.json # of whoever built it
chmod -R u=rwX,go=rX /tmp/image/page
cp -r /tmp/image/page /usr/share/ollama-fleet/ui
chown -R root:root /usr/share/ollama-fleet/ui
ln -s /etc/ollama-fleet/page.json /usr/share/ollama-fleet/ui/config.json
systemd-sysusers
systemd-tmpfiles --create
