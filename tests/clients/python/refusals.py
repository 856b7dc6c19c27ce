"""How each client shows each refusal: the class of its error, its status, and our own sentence, word for word."""

import re
import time

import anthropic
import clients
import ollama
import openai
from clients import CHAT, DENIED, EXPIRED, GREETING, LIMITED, LONELY_URL
from promises import fails, holds, promise, same

TOO_MUCH = "x" * (33 << 20)  # the limit is 32 MiB

NO_TOKEN = "a valid token or API key is needed: send `Authorization: Bearer <token>` or `x-api-key: <key>`"
NO_MODEL = "model '{}' not found; the models you may use are listed by GET /api/tags and GET /v1/models"
NO_ROUTE = "there is no such route here; the Ollama, OpenAI and Anthropic routes are listed in the documentation"
NO_SEARCH = "the server's own web search is not offered here; define a tool of your own"
NO_UNLOAD = f"only operators may unload {CHAT}: it would leave everybody who uses it waiting"
NO_PULL = "only administrators may pull or delete models"
TOO_LARGE = "the request body is over the limit of 33554432 bytes; send less, or smaller images"
TOO_MANY = re.compile(r"you have reached your requests per minute; try again in \d+ s")
NO_OLLAMA = re.compile(r"the model server is starting or restarting; try again in \d+ s")

of_ollama, of_openai, of_anthropic = clients.of_ollama, clients.of_openai, clients.of_anthropic


# What is asked, by a client that was made with some token for some gateway.
def ollama_chat(client, model=CHAT, **more):
    return client.chat(model, GREETING, **more)


def ollama_stream(client, **more):
    return list(client.chat(CHAT, GREETING, stream=True, **more))


def openai_chat(client, model=CHAT, **more):
    return client.chat.completions.create(model=model, messages=GREETING, **more)


def openai_stream(client):
    return list(openai_chat(client, stream=True))


def message(client, model=CHAT, content="Good morning", max_tokens=5, **more):
    asked = [{"role": "user", "content": content}]
    return client.messages.create(model=model, messages=asked, max_tokens=max_tokens, **more)


def message_stream(client):
    return list(message(client, stream=True))


# Each row: when, who asks with what, for what, the error's class, its status, our sentence.
ROWS = [
    ("without a token", of_ollama(None), ollama_chat, ollama.ResponseError, 401, NO_TOKEN),
    ("with an expired token", of_ollama(EXPIRED), ollama_chat, ollama.ResponseError, 401, NO_TOKEN),
    ("streaming with an expired token", of_ollama(EXPIRED), ollama_stream, ollama.ResponseError, 401, NO_TOKEN),
    ("without a token", of_openai(), lambda c: openai_chat(c, extra_headers={"Authorization": openai.Omit()}),
     openai.AuthenticationError, 401, NO_TOKEN),
    ("with a made-up key", of_openai("sk-123"), openai_chat, openai.AuthenticationError, 401, NO_TOKEN),
    ("with an expired token", of_openai(EXPIRED), openai_chat, openai.AuthenticationError, 401, NO_TOKEN),
    ("streaming with an expired token", of_openai(EXPIRED), openai_stream, openai.AuthenticationError, 401, NO_TOKEN),
    ("without a key", clients.by_x_api_key(None), message, anthropic.AuthenticationError, 401, NO_TOKEN),
    ("with a made-up x-api-key", clients.by_x_api_key("sk-123"), message,
     anthropic.AuthenticationError, 401, NO_TOKEN),
    ("with an expired token", of_anthropic(EXPIRED), message, anthropic.AuthenticationError, 401, NO_TOKEN),
    ("streaming with an expired token", of_anthropic(EXPIRED), message_stream,
     anthropic.AuthenticationError, 401, NO_TOKEN),

    ("pulling as a user", of_ollama(), lambda c: c.pull("tinyllama"), ollama.ResponseError, 403, NO_PULL),
    ("pulling with progress as a user", of_ollama(), lambda c: list(c.pull("tinyllama", stream=True)),
     ollama.ResponseError, 403, NO_PULL),
    ("deleting as a user", of_ollama(), lambda c: c.delete(CHAT), ollama.ResponseError, 403, NO_PULL),
    ("unloading as a user", of_ollama(), lambda c: c.generate(CHAT, keep_alive=0),
     ollama.ResponseError, 403, NO_UNLOAD),
    ("asking the server to search", of_openai(),
     lambda c: c.responses.create(model=CHAT, input="news?", tools=[{"type": "web_search"}]),
     openai.PermissionDeniedError, 403, NO_SEARCH),
    ("asking the server to search", of_anthropic(),
     lambda c: message(c, tools=[{"type": "web_search_20250305", "name": "web_search"}]),
     anthropic.PermissionDeniedError, 403, NO_SEARCH),

    ("asking for a model not theirs", of_ollama(), lambda c: ollama_chat(c, DENIED),
     ollama.ResponseError, 404, NO_MODEL.format(DENIED)),
    ("asking for a model that is not", of_ollama(), lambda c: ollama_chat(c, "nobody:1b"),
     ollama.ResponseError, 404, NO_MODEL.format("nobody:1b")),
    ("looking at a model not theirs", of_ollama(), lambda c: c.show(DENIED),
     ollama.ResponseError, 404, NO_MODEL.format(DENIED)),
    ("copying a model", of_ollama(), lambda c: c.copy(CHAT, "mine"), ollama.ResponseError, 404, NO_ROUTE),
    ("asking for a model not theirs", of_openai(), lambda c: openai_chat(c, DENIED),
     openai.NotFoundError, 404, NO_MODEL.format(DENIED)),
    ("asking for a model that is not", of_openai(), lambda c: openai_chat(c, "nobody:1b"),
     openai.NotFoundError, 404, NO_MODEL.format("nobody:1b")),
    ("retrieving a model not theirs", of_openai(), lambda c: c.models.retrieve(DENIED),
     openai.NotFoundError, 404, NO_MODEL.format(DENIED)),
    ("asking for a picture", of_openai(), lambda c: c.images.generate(model=CHAT, prompt="a cat"),
     openai.NotFoundError, 404, NO_ROUTE),
    ("asking for a model not theirs", of_anthropic(), lambda c: message(c, DENIED),
     anthropic.NotFoundError, 404, NO_MODEL.format(DENIED)),
    ("asking for a model that is not", of_anthropic(), lambda c: message(c, "nobody:1b"),
     anthropic.NotFoundError, 404, NO_MODEL.format("nobody:1b")),
    ("counting tokens", of_anthropic(), lambda c: c.messages.count_tokens(model=CHAT, messages=GREETING),
     anthropic.NotFoundError, 404, NO_ROUTE),

    ("giving an option of the wrong type", of_ollama(), lambda c: ollama_chat(c, options={"num_predict": "many"}),
     ollama.ResponseError, 400, 'option "num_predict" must be of type integer'),
    ("giving a limit of the wrong type", of_openai(), lambda c: openai_chat(c, max_tokens="many"),
     openai.BadRequestError, 400, "`max_tokens` must be a whole number"),
    ("giving no limit", of_anthropic(), lambda c: message(c, max_tokens=0),
     anthropic.BadRequestError, 400, "`max_tokens` is required and must be positive"),

    ("sending 33 MiB", of_ollama(), lambda c: c.generate(CHAT, TOO_MUCH), ollama.ResponseError, 413, TOO_LARGE),
    ("sending 33 MiB for a stream", of_ollama(), lambda c: list(c.generate(CHAT, TOO_MUCH, stream=True)),
     ollama.ResponseError, 413, TOO_LARGE),
    ("sending 33 MiB", of_openai(), lambda c: c.completions.create(model=CHAT, prompt=TOO_MUCH),
     openai.APIStatusError, 413, TOO_LARGE),
    ("sending 33 MiB", of_anthropic(), lambda c: message(c, content=TOO_MUCH),
     anthropic.ContentTooLargeError, 413, TOO_LARGE),

    ("over the requests per minute", of_ollama(LIMITED), ollama_chat, ollama.ResponseError, 429, TOO_MANY),
    ("over the requests per minute", of_openai(LIMITED), openai_chat, openai.RateLimitError, 429, TOO_MANY),
    ("streaming over the requests per minute", of_openai(LIMITED), openai_stream,
     openai.RateLimitError, 429, TOO_MANY),
    ("over the requests per minute", of_anthropic(LIMITED), message, anthropic.RateLimitError, 429, TOO_MANY),

    ("while Ollama is away", of_ollama(url=LONELY_URL), ollama_chat, ollama.ResponseError, 503, NO_OLLAMA),
    ("streaming while Ollama is away", of_ollama(url=LONELY_URL), ollama_stream,
     ollama.ResponseError, 503, NO_OLLAMA),
    ("while Ollama is away", of_openai(url=LONELY_URL), openai_chat, openai.InternalServerError, 503, NO_OLLAMA),
    ("while Ollama is away", of_anthropic(url=LONELY_URL), message, anthropic.ServiceUnavailableError, 503, NO_OLLAMA),
]


def shown(error):
    """Status and sentence, from where each client keeps them; a person must see the sentence too."""
    if isinstance(error, ollama.ResponseError):
        sentence = error.error
    elif isinstance(error, openai.APIStatusError):
        sentence = error.body["message"]
    elif isinstance(error, anthropic.APIStatusError):
        sentence = error.body["error"]["message"]
    else:
        raise AssertionError(f"no answer was seen: {type(error).__name__}: {error}")
    holds(sentence in str(error).replace("\\'", "'"), f"a person sees only {error}")
    return error.status_code, sentence


def waits_truly(error, status):
    """429 and 503 say when to come back, where the client lets one see it."""
    response = getattr(error, "response", None)
    if status in (429, 503) and response is not None:
        holds(1 <= int(response.headers["retry-after"]) <= 60, "Retry-After is out of bounds")


def exhaust(token):
    """Spends the minute's requests until the next one is several seconds away."""
    with clients.http() as http:
        for _ in range(60):
            answer = http.get(f"{clients.URL}/api/tags", headers={"Authorization": f"Bearer {token}"})
            if answer.status_code == 429:
                if int(answer.headers["retry-after"]) >= 8:
                    return
                time.sleep(0.5)
    raise AssertionError("the limit was never reached")


def check(client, ask, kind, status, sentence):
    if status == 429:
        exhaust(LIMITED)
    error = fails(lambda: ask(client))
    holds(isinstance(error, kind), f"{type(error).__name__} instead of {kind.__name__}: {error}")
    got_status, got = shown(error)
    same(got_status, status)
    if isinstance(sentence, re.Pattern):
        holds(sentence.fullmatch(got), f"got {got!r}")
    else:
        same(got, sentence)
    waits_truly(error, status)


for when, client, ask, kind, status, sentence in ROWS:
    name = type(client).__module__.split(".")[0]
    promise(f"{name}: {when} is {kind.__name__} {status}, in our words")(
        lambda row=(client, ask, kind, status, sentence): check(*row)
    )


@promise("openai: its own retry obeys Retry-After and then succeeds")
def _():
    hasty = clients.of_openai(LIMITED, clients.PATIENT_URL, retries=2)
    hasty.models.list()
    began = time.monotonic()
    answer = hasty.models.with_raw_response.list()
    same((answer.status_code, answer.retries_taken), (200, 1))
    holds(time.monotonic() - began >= 1.0, "it did not wait")
