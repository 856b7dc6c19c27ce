#!/usr/bin/env bash
# The system: tools that the boot needs, the agents, no updates behind our back. AL2023 is locked to its release, so
# nothing here is newer than the base image; a newer base is how an image is patched.
set -euo pipefail
fail() { echo "system.sh: $*" >&2 && exit 1; }
dnf install -y --setopt=install_weak_deps=0 amazon-cloudwatch-agent logrotate openssl xfsprogs zstd tar 'dnf-command(versionlock)' ||
    fail "AL2023's repositories did not answer; does the build's subnet reach S3?"
command -v aws >/dev/null || dnf install -y awscli-2
command -v amazon-ssm-agent >/dev/null || dnf install -y amazon-ssm-agent
# A kernel without the driver's modules is a machine without its GPU.
dnf versionlock add 'kernel*' >/dev/null || fail "the kernel cannot be locked"
systemctl disable --now dnf-makecache.timer 2>/dev/null || true
dnf remove -y ec2-instance-connect >/dev/null 2>&1 || true
systemctl enable amazon-ssm-agent amazon-cloudwatch-agent
