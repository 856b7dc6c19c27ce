#!/usr/bin/env bash
# Deregisters our images but the newest three of each kind and those that are noted (promoted, before, candidate), and
# deletes their snapshots, which are what is paid.
# shellcheck source=scripts/deploy/account.sh
. "$(dirname "$0")/account.sh"
kept=$(aws ssm get-parameters-by-path --path /ollama-fleet/images --recursive --query 'Parameters[].Value' --output text)
for role in node cpu front; do
    # shellcheck disable=SC2016  # backquotes are the query's own
    aws ec2 describe-images --owners self --filters Name=tag:Product,Values=ollama-fleet "Name=tag:Role,Values=$role" \
        --query 'reverse(sort_by(Images, &CreationDate))[3:].[ImageId, join(`,`, BlockDeviceMappings[].Ebs.SnapshotId)]' --output text |
        while read -r image snapshots; do
            if [ -z "$image" ] || [ "$image" = None ] || grep -qw "$image" <<<"$kept"; then continue; fi
            if [ -z "${YES:-}" ]; then
                echo "would delete $image, a $role; YES=1 does it"
                continue
            fi
            aws ec2 deregister-image --image-id "$image" >/dev/null
            for snapshot in ${snapshots//,/ }; do aws ec2 delete-snapshot --snapshot-id "$snapshot" >/dev/null; done
            echo "deleted $image"
        done
done
