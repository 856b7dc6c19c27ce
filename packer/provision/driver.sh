#!/usr/bin/env bash
# NVIDIA's driver of the pinned branch from AWS's repository, built for the kernel that runs. Ollama brings CUDA itself.
set -euo pipefail
fail() { echo "driver.sh: $*" >&2 && exit 1; }
kernel=$(uname -r)
series=$(cut -d. -f1,2 <<<"$kernel")
dnf install -y dkms "kernel-devel-$kernel" "kernel-headers-$kernel" 2>/dev/null ||
    dnf install -y dkms "kernel$series-devel-$kernel" "kernel$series-headers-$kernel" ||
    fail "no headers for the running kernel $kernel; is the base image of this release still AWS's newest? run scripts/deploy/pin.sh"
dnf install -y nvidia-release || fail "AWS's repository with the driver is not there"
# The open modules: the only ones from branch 620 on, and they know the T4.
dnf install -y "nvidia-driver-cuda-*$NVIDIA_DRIVER*" "kmod-nvidia-open-dkms-*$NVIDIA_DRIVER*" ||
    fail "no driver of branch $NVIDIA_DRIVER; see: dnf list --showduplicates nvidia-driver-cuda"
dkms status | grep -q installed || fail "the module was not built: $(dkms status)"
dnf versionlock add 'nvidia*' 'kmod-nvidia*' >/dev/null
printf '%s\n' nvidia nvidia-uvm >/etc/modules-load.d/nvidia.conf
systemctl enable nvidia-persistenced
