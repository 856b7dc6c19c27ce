#!/usr/bin/env bash
# Builds the page, tells it where things are, and puts it where CloudFront takes it: files with hashed names first, then
# what names them, index.html last.
# shellcheck source=scripts/deploy/account.sh
. "$(dirname "$0")/account.sh"
if [ "$(parameter Reach)" != internet ]; then
    case $(parameter Reach) in
    internal) echo "no page on CloudFront; the fronts serve it at $(output Gateway)/ui/, from their image" ;;
    *) echo "no page with Reach=$(parameter Reach)" ;;
    esac
    exit 0
fi
bucket=$(output Files "$FLEET-page" us-east-1)
distribution=$(output Page "$FLEET-page" us-east-1)
scripts/deploy/page.sh
issuer=$(output Issuer) client=$(output Client) sign_in=$(output SignInUrl) api=$(output Gateway) domain=$(parameter Domain)
ISSUER=$issuer CLIENT=${CLIENT:-$client} SIGN_IN=$sign_in API=$api DOMAIN=$domain python3 - ui/config.example.json ui/dist/config.json <<'END' || stop "config.json cannot be written; with an issuer of your own, CLIENT names the page's client there"
import json, os, sys
told, page = os.environ, json.load(open(sys.argv[1]))
cognito = "cognito-idp" in told["ISSUER"]
assert told["CLIENT"], "no client"
page |= {"api": told["API"], "issuer": told["ISSUER"], "client_id": told["CLIENT"], "scopes": "openid email",
         "audience": "" if cognito else f"https://api.{told['DOMAIN']}",
         "groups_claim": "cognito:groups" if cognito else f"https://{told['DOMAIN']}/groups",
         "logout_url": told["SIGN_IN"] + "/logout?client_id={client_id}&logout_uri={return_to}" if cognito else ""}
json.dump(page, open(sys.argv[2], "w"), indent=2)
END
aws s3 sync ui/dist "s3://$bucket" --exclude index.html --exclude config.json --cache-control 'public, max-age=31536000, immutable' --only-show-errors
aws s3 cp ui/dist/config.json "s3://$bucket/config.json" --cache-control no-cache --only-show-errors
aws s3 cp ui/dist/index.html "s3://$bucket/index.html" --cache-control no-cache --only-show-errors
aws cloudfront create-invalidation --distribution-id "$distribution" --paths /index.html /config.json >/dev/null
echo "https://$domain"
