#!/usr/bin/env bash
# Gives the models the machine's local NVMe, where it has one. It comes empty at every start but a reboot.
# shellcheck source=packer/files/common/usr/lib/ollama-fleet/machine.sh
. /usr/lib/ollama-fleet/machine.sh
device=$(lsblk --nodeps --noheadings --paths --output NAME,MODEL | awk '/Amazon EC2 NVMe Instance Storage/ { print $1; exit }')
if [ -z "$device" ]; then
    say "no local NVMe: models stay on the root volume"
elif [ "$(blkid -s LABEL -o value "$device" || true)" = models ]; then
    say "$device is formatted already"
    systemctl start var-lib-ollama.mount
else
    mkfs.xfs -q -f -K -L models "$device" || stop "$device cannot be formatted"
    udevadm settle
    systemctl start var-lib-ollama.mount
    say "$device holds the models"
fi
install -d -m 0755 -o ollama -g ollama /var/lib/ollama /var/lib/ollama/models
