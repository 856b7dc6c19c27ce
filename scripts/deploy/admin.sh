#!/usr/bin/env bash
# Makes an administrator, or makes one of somebody who is there: EMAIL=… make admin. The invitation comes by mail.
# shellcheck source=scripts/deploy/account.sh
. "$(dirname "$0")/account.sh"
[[ ${EMAIL:-} == *?@?*.?* ]] || stop "EMAIL: whom? make admin ENV=$ENV EMAIL=somebody@your.domain"
issuer=$(output Issuer)
[[ $issuer == *cognito-idp* ]] || stop "people are kept by $issuer; put $EMAIL into the group ollama-admins there"
pool=${issuer##*/}
if ! aws cognito-idp admin-get-user --user-pool-id "$pool" --username "$EMAIL" >/dev/null 2>&1; then
    aws cognito-idp admin-create-user --user-pool-id "$pool" --username "$EMAIL" --desired-delivery-mediums EMAIL \
        --user-attributes "Name=email,Value=$EMAIL" Name=email_verified,Value=true >/dev/null || stop "$EMAIL cannot be made"
    echo "$EMAIL is invited; the password in the mail is good for three days"
fi
aws cognito-idp admin-add-user-to-group --user-pool-id "$pool" --username "$EMAIL" --group-name ollama-admins || stop "there is no group ollama-admins"
echo "$EMAIL is an administrator, from the next sign-in"
