#!/usr/bin/env bash
# Pins the images to AL2023's newest release, whose packages carry the newest patches. Changes one line of a file.
# shellcheck source=scripts/deploy/account.sh
. "$(dirname "$0")/account.sh"
file=packer/versions.pkrvars.hcl
kernel=$(sed -n 's/^kernel *= *"\(.*\)"/\1/p' $file)
id=$(aws ssm get-parameter --name "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-$kernel-x86_64" --query Parameter.Value --output text) ||
    stop "AWS has no AL2023 with kernel $kernel; set another kernel in $file"
name=$(aws ec2 describe-images --image-ids "$id" --query 'Images[0].Name' --output text)
base=$(sed -n 's/^al2023-ami-\(2023\.[0-9.]*\)-kernel-.*/\1/p' <<<"$name")
[ -n "$base" ] || stop "$name is not named as AL2023's images were; set base in $file by hand"
sed -i "s/^base *= .*/base = \"$base\"/" $file
echo "base = $base; look at the difference, build, try, commit"
