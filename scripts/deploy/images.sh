#!/usr/bin/env bash
# Builds the images if anything that goes into them has changed, and notes their ids as candidates. The first ones are
# promoted at once, since there is nothing to compare them with.
# shellcheck source=scripts/deploy/account.sh
. "$(dirname "$0")/account.sh"
note() { aws ssm put-parameter --name "$1" --value "$2" --type String --overwrite >/dev/null; }
read_note() { aws ssm get-parameter --name "$1" --query Parameter.Value --output text 2>/dev/null || true; }

inputs=$(git ls-files -s packer fleet gateway scaler bot ui Cargo.lock Cargo.toml | sha256sum | cut -d' ' -f1)
if [ -z "${AGAIN:-}" ] && [ "$(read_note /ollama-fleet/images/inputs)" = "$inputs" ]; then
    echo "unchanged: node $(read_note /ollama-fleet/images/node), front $(read_note /ollama-fleet/images/front) (AGAIN=1 builds all the same)"
    exit 0
fi
[ -z "$(git status --porcelain -- packer fleet gateway scaler bot ui Cargo.lock)" ] || stop "there are changes that are not committed; an image must be able to say what is in it"
grep -qE '^base *= *"2023' packer/versions.pkrvars.hcl || stop "no release of AL2023 is pinned; scripts/deploy/pin.sh, look at the difference, commit it"
command -v packer >/dev/null || stop "packer is missing; install 1.11 or newer, and AWS's plugin for Session Manager"
[ -n "${BUILDER_PROFILE:-}" ] || stop "BUILDER_PROFILE: an instance profile with AmazonSSMManagedInstanceCore, for the build's machines"

scripts/deploy/programs.sh
scripts/deploy/page.sh
rm -f target/images.json
packer init packer/plugins.pkr.hcl
packer build -only='amazon-ebs.node,amazon-ebs.front' -var-file=packer/versions.pkrvars.hcl -var region="$AWS_REGION" \
    -var version="$(git describe --always --tags)" -var programs="$PWD/target/programs" -var page="$PWD/ui/dist" -var builder_profile="$BUILDER_PROFILE" \
    -var subnet="${BUILDER_SUBNET:-}" packer/images.pkr.hcl
for role in node front; do
    id=$(python3 -c 'import json, sys; print([b["artifact_id"].split(":")[-1] for b in json.load(open("target/images.json"))["builds"] if b["name"].split(".")[-1] == sys.argv[1]][-1])' $role) ||
        stop "the build names no image of the $role; see its output"
    note "/ollama-fleet/images/$role/candidate" "$id"
    echo "$role: candidate $id"
done
note /ollama-fleet/images/inputs "$inputs"
[ -n "$(read_note /ollama-fleet/images/node)" ] || exec scripts/deploy/promote.sh
echo "try them in a dev fleet, then: scripts/deploy/promote.sh"
