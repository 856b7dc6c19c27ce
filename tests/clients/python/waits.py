"""Long waits: one request holds the only slot, streams wait behind it, and no client sees the bytes in between."""

from concurrent.futures import ThreadPoolExecutor

import clients
from clients import ADMIN, CHAT, GREETING, PATIENT_URL, URL, USER
from promises import holds, promise, same

FEW = 6
SHORT = {"num_predict": FEW}


# What every client streams, as text, from a gateway.
def ollama_chat(url):
    parts = clients.of_ollama(url=url).chat(CHAT, GREETING, options=SHORT, stream=True)
    return "".join(part.message.content for part in parts)


def ollama_generate(url):
    parts = clients.of_ollama(url=url).generate(CHAT, "Good morning", options=SHORT, stream=True)
    return "".join(part.response for part in parts)


def openai_chat(url):
    create = clients.of_openai(url=url).chat.completions.create
    chunks = create(model=CHAT, messages=GREETING, max_tokens=FEW, stream=True)
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks)


def openai_completion(url):
    create = clients.of_openai(url=url).completions.create
    return "".join(
        chunk.choices[0].text for chunk in create(model=CHAT, prompt="Good morning", max_tokens=FEW, stream=True)
    )


def openai_response(url):
    create = clients.of_openai(url=url).responses.create
    events = create(model=CHAT, input="Good morning", max_output_tokens=FEW, stream=True)
    return "".join(event.delta for event in events if event.type == "response.output_text.delta")


def anthropic_message(url):
    ask = {"model": CHAT, "messages": GREETING, "max_tokens": FEW}
    with clients.of_anthropic(url=url).messages.stream(**ask) as stream:
        return "".join(stream.text_stream)


def first_bytes(path, body):
    """What comes first on a stream that has to wait, without a client that would hide it."""
    ask = {"model": CHAT, "messages": GREETING, "stream": True, **body}
    headers = {"Authorization": f"Bearer {USER}"}
    with clients.http() as http, http.stream("POST", PATIENT_URL + path, json=ask, headers=headers) as answer:
        same(answer.status_code, 200)
        return next(answer.iter_raw())


STREAMS = {
    "ollama: a chat": ollama_chat,
    "ollama: generated text": ollama_generate,
    "openai: a chat completion": openai_chat,
    "openai: a completion": openai_completion,
    "openai: a response": openai_response,
    "anthropic: a message": anthropic_message,
}
SILENCE = {
    "native": ("/api/chat", {"options": SHORT}, b" "),
    "OpenAI": ("/v1/chat/completions", {"max_tokens": FEW}, b": "),
    "Anthropic": ("/v1/messages", {"max_tokens": FEW}, b"event: ping"),
}


class Waiting:
    """Everything at once, behind one long answer that holds the only slot; tried once, looked at by every promise."""

    _outcomes = None

    @classmethod
    def outcome(cls, name):
        cls._outcomes = cls._outcomes or cls._wait()
        return cls._outcomes[name].result()

    @staticmethod
    def _wait():
        holder = clients.of_ollama(ADMIN, PATIENT_URL).chat(CHAT, GREETING, options={"num_predict": 100}, stream=True)
        next(holder)
        with ThreadPoolExecutor(len(STREAMS) + len(SILENCE)) as pool:
            waiting = {name: pool.submit(stream, PATIENT_URL) for name, stream in STREAMS.items()}
            for family, (path, body, _) in SILENCE.items():
                waiting[family] = pool.submit(first_bytes, path, body)
            holds(list(holder)[-1].done, "the answer in front broke off")
        return waiting


def bytes_come(family):
    got, expected = Waiting.outcome(family), SILENCE[family][2]
    holds(got.startswith(expected), f"got {got[:80]!r}, expected {expected!r}")


for family in SILENCE:
    promise(f"a waiting {family} stream gets bytes that mean nothing")(lambda family=family: bytes_come(family))
for name, stream in STREAMS.items():
    promise(f"{name} that had to wait arrives unharmed")(
        lambda name=name, stream=stream: same(Waiting.outcome(name), stream(URL))
    )
