"""The official clients, unchanged: each gets the gateway's address, the demo's authority and a token, no more."""

import json
import os
import ssl

import anthropic
import httpx2
import libretranslatepy
import ollama
import openai

with open(os.environ["DEMO_JSON"], encoding="utf-8") as file:
    DEMO = json.load(file)

URL = DEMO["url"]
#: A second gateway: one slot, keep-alive bytes after a fifth of a second, a request a second for `limited`.
PATIENT_URL = os.environ["PATIENT_URL"]
#: A third: its Ollama does not answer.
LONELY_URL = os.environ["LONELY_URL"]

USER, ADMIN, LIMITED, EXPIRED = (DEMO["tokens"][who] for who in ("user", "admin", "limited", "expired"))
CHAT, EMBED, DENIED = (DEMO["models"][which] for which in ("chat", "embed", "denied"))

GREETING = [{"role": "user", "content": "Good morning"}]

_authority = ssl.create_default_context(cafile=DEMO["ca_file"])


def of_ollama(token=USER, url=URL):
    """The `ollama` client; it never retries."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return ollama.Client(url, verify=_authority, headers=headers)


def of_openai(token=USER, url=URL, retries=0):
    """The `openai` client."""
    return openai.OpenAI(api_key=token, base_url=f"{url}/v1", max_retries=retries, http_client=http())


def of_anthropic(token=USER, url=URL, headers=None):
    """The `anthropic` client; its `api_key` goes as a Bearer token, where older ones sent `x-api-key`."""
    client = anthropic.Anthropic
    return client(api_key=token, base_url=url, max_retries=0, http_client=http(), default_headers=headers)


def by_x_api_key(token):
    """The `anthropic` client as older ones are: `x-api-key` and no `Authorization`; without a token, neither."""
    headers = {"Authorization": anthropic.Omit()} | ({"X-Api-Key": token} if token else {})
    return of_anthropic("unused", headers=headers)


def of_libretranslate(token=USER):
    """The `libretranslatepy` client, which sends its key in the body, and trusts what the environment says."""
    os.environ["SSL_CERT_FILE"] = DEMO["ca_file"]
    return libretranslatepy.LibreTranslateAPI(URL, api_key=token)


def http():
    """Plain HTTP that trusts the demo's authority."""
    return httpx2.Client(verify=_authority, timeout=30)
