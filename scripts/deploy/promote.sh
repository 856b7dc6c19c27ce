#!/usr/bin/env bash
# Makes the candidates the images that stacks take, and keeps the ones before. BACK=1 exchanges them: the way back.
# shellcheck source=scripts/deploy/account.sh
. "$(dirname "$0")/account.sh"
note() { aws ssm put-parameter --name "$1" --value "$2" --type String --overwrite >/dev/null; }
read_note() { aws ssm get-parameter --name "$1" --query Parameter.Value --output text 2>/dev/null || true; }
from=candidate
[ -z "${BACK:-}" ] || from=before
for role in node front; do
    new=$(read_note "/ollama-fleet/images/$role/$from")
    old=$(read_note "/ollama-fleet/images/$role")
    [ -n "$new" ] || stop "there is no image $role/$from$([ "$from" != candidate ] || echo "; make images ENV=$ENV")"
    [ "$(aws ec2 describe-images --image-ids "$new" --query 'Images[0].State' --output text 2>/dev/null)" = available ] || stop "$new of the $role is not available"
    if [ "$new" = "$old" ]; then
        echo "$role: $new already"
        continue
    fi
    [ -z "$old" ] || note "/ollama-fleet/images/$role/before" "$old"
    note "/ollama-fleet/images/$role" "$new"
    echo "$role: ${old:-none} → $new"
done
echo "running fleets take them with: make deploy ENV=…, then scripts/deploy/refresh.sh"
