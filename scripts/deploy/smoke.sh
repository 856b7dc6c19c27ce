#!/usr/bin/env bash
# Is it a fleet? Refuses who does not sign in, wakes for who does, streams an answer. TOKEN: a key or an access token.
# shellcheck source=scripts/deploy/account.sh
. "$(dirname "$0")/account.sh"
url=$(output Gateway)
models=$(parameter Models)
model=${models%%,*}
curl -sf --max-time 20 -o /dev/null "$url/healthz" || stop "$url/healthz does not answer; does the name point to $(output Address), and do you come from $(parameter AllowedRanges)?"
echo "ok  $url answers"
status=$(curl -s --max-time 20 -o /dev/null -w '%{http_code}' "$url/api/tags" || true)
[ "$status" = 401 ] || stop "without a token $url/api/tags says $status, not 401"
echo "ok  nobody gets in without a token"
[ -n "${TOKEN:-}" ] || stop "TOKEN: an API key (docs/operate/keys.md) or the access token of somebody signed in"
begun=$(date +%s)
answer=$(curl -sSN --max-time 900 -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \
    -d "{\"model\": \"$model\", \"stream\": true, \"messages\": [{\"role\": \"user\", \"content\": \"Say yes.\"}], \"options\": {\"num_predict\": 8}}" "$url/api/chat") ||
    stop "the stream broke off; docs/operate/does-not-wake.md"
grep -q '"done": *true' <<<"$answer" || stop "no answer after $(($(date +%s) - begun)) s: $(tail -c 300 <<<"$answer")"
echo "ok  $model answered, in $(($(date +%s) - begun)) s with the wake"
