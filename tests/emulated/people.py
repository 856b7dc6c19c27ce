"""A person of the deployed pool: made by an administrator, signed in as the page does it, by code and PKCE."""

import base64
import hashlib
import json
import re
import secrets
import urllib.error
import urllib.parse
import urllib.request

PASSWORD = "Correct-horse-battery-7"


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def make(ministack, pool, email, group=None):
    """Makes the person, as `make admin` does, with a password that lasts."""
    client = ministack.client("cognito-idp")
    client.admin_create_user(UserPoolId=pool, Username=email, MessageAction="SUPPRESS", TemporaryPassword=PASSWORD,   # MiniStack makes none that fits the pool's policy
                             UserAttributes=[{"Name": "email", "Value": email}, {"Name": "email_verified", "Value": "true"}])
    client.admin_set_user_password(UserPoolId=pool, Username=email, Password=PASSWORD, Permanent=True)
    if group:
        client.admin_add_user_to_group(UserPoolId=pool, Username=email, GroupName=group)


def sign_in(ministack, client, page, email):
    """The access token of this person. `page` is where the sign-in returns to."""
    verifier = secrets.token_urlsafe(48)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    asked = {"client_id": client, "redirect_uri": page, "response_type": "code", "scope": "openid email", "state": "s",
             "code_challenge": challenge, "code_challenge_method": "S256"}
    opener = urllib.request.build_opener(_Stay)
    form = opener.open(f"{ministack.url}/oauth2/authorize?{urllib.parse.urlencode(asked)}", timeout=30).read().decode()
    if not re.search(r"<form", form):
        raise AssertionError("the pool shows no form to sign in with")
    try:
        opener.open(f"{ministack.url}/login", urllib.parse.urlencode(asked | {"username": email, "password": PASSWORD}).encode(), timeout=30)
        raise AssertionError("the pool did not take name and password")
    except urllib.error.HTTPError as answer:
        back = urllib.parse.urlparse(answer.headers["Location"])
    code = urllib.parse.parse_qs(back.query)["code"][0]
    asked = {"grant_type": "authorization_code", "client_id": client, "redirect_uri": page, "code": code, "code_verifier": verifier}
    return json.load(opener.open(f"{ministack.url}/oauth2/token", urllib.parse.urlencode(asked).encode(), timeout=30))["access_token"]
