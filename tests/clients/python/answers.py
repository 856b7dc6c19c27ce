"""What an ordinary user gets: chat, text, embeddings and lists, streamed and whole, by every client."""

import clients
from clients import CHAT, DENIED, EMBED, GREETING, USER
from promises import holds, promise, same

FEW = 6
#: Numbers in a vector, where the Ollama is the simulated one.
DIMENSIONS = 768

of_ollama, of_openai, of_anthropic = clients.of_ollama(), clients.of_openai(), clients.of_anthropic()
short = {"num_predict": FEW}


@promise("ollama: a chat comes whole, with its counts")
def _():
    answer = of_ollama.chat(CHAT, GREETING, options=short)
    holds(answer.message.content and answer.done, "no content")
    same((answer.done_reason, answer.eval_count), ("length", FEW))


@promise("ollama: a streamed chat says the same in parts, and ends with done")
def _():
    parts = list(of_ollama.chat(CHAT, GREETING, options=short, stream=True))
    whole = of_ollama.chat(CHAT, GREETING, options=short)
    same("".join(part.message.content for part in parts), whole.message.content)
    same([part.done for part in parts], [False] * (len(parts) - 1) + [True])
    holds(len(parts) > 3, f"only {len(parts)} parts")


@promise("ollama: text is generated whole and streamed, alike")
def _():
    whole = of_ollama.generate(CHAT, "Good morning", options=short)
    parts = list(of_ollama.generate(CHAT, "Good morning", options=short, stream=True))
    same("".join(part.response for part in parts), whole.response)
    same(parts[-1].eval_count, FEW)


@promise("ollama: texts become vectors, by embed and by the older embeddings")
def _():
    same([len(v) for v in of_ollama.embed(EMBED, ["one", "two"]).embeddings], [DIMENSIONS] * 2)
    same(len(of_ollama.embeddings(EMBED, "one").embedding), DIMENSIONS)


@promise("ollama: the list shows what the user may use and hides what not")
def _():
    names = [model.model.removesuffix(":latest") for model in of_ollama.list().models]
    same((CHAT in names, EMBED in names, DENIED in names), (True, True, False))


@promise("ollama: ps shows the model in memory")
def _():
    holds(CHAT in [model.model for model in of_ollama.ps().models], "the chat model is not there")


@promise("ollama: show tells what a model can do, without paths of the server")
def _():
    shown = of_ollama.show(CHAT)
    holds("completion" in shown.capabilities, f"{shown.capabilities}")
    holds("/models/" not in shown.modelfile, shown.modelfile)


@promise("openai: models are listed and retrieved")
def _():
    ids = [model.id.removesuffix(":latest") for model in of_openai.models.list()]
    same((CHAT in ids, EMBED in ids, DENIED in ids), (True, True, False))
    same(of_openai.models.retrieve(CHAT).id, CHAT)


@promise("openai: a chat completion comes whole, with its usage")
def _():
    answer = of_openai.chat.completions.create(model=CHAT, messages=GREETING, max_tokens=FEW)
    choice = answer.choices[0]
    same((bool(choice.message.content), choice.finish_reason), (True, "length"))
    same(answer.usage.completion_tokens, FEW)


def streamed_chat(**more):
    return list(
        of_openai.chat.completions.create(model=CHAT, messages=GREETING, max_tokens=FEW, stream=True, **more)
    )


@promise("openai: a streamed chat completion shows no usage where none was asked for")
def _():
    chunks = streamed_chat()
    same({len(chunk.choices) for chunk in chunks}, {1})
    same({chunk.usage for chunk in chunks}, {None})
    same(chunks[-1].choices[0].finish_reason, "length")


@promise("openai: a streamed chat completion ends with its usage where that was asked for")
def _():
    chunks = streamed_chat(stream_options={"include_usage": True})
    same(chunks[-1].choices, [])
    same(chunks[-1].usage.completion_tokens, FEW)


@promise("openai: completions come whole and streamed, alike and without unasked usage")
def _():
    ask = {"model": CHAT, "prompt": "Good morning", "max_tokens": FEW}
    whole = of_openai.completions.create(**ask)
    chunks = list(of_openai.completions.create(**ask, stream=True))
    same("".join(chunk.choices[0].text for chunk in chunks), whole.choices[0].text)
    same({chunk.usage for chunk in chunks}, {None})


@promise("openai: embeddings of one text and of several, as numbers and as base64")
def _():
    def embed(text, **more):
        return [item.embedding for item in of_openai.embeddings.create(model=EMBED, input=text, **more).data]

    same(len(embed("one")[0]), DIMENSIONS)
    same([len(v) for v in embed(["one", "two"], encoding_format="float")], [DIMENSIONS] * 2)
    holds(isinstance(embed("one", encoding_format="base64")[0], str), "base64 is not text")


@promise("openai: a response comes whole")
def _():
    answer = of_openai.responses.create(model=CHAT, input="Good morning", max_output_tokens=FEW)
    holds(answer.output_text, "no text")
    same(answer.usage.output_tokens, FEW)


@promise("openai: a streamed response runs from created to completed")
def _():
    events = list(
        of_openai.responses.create(model=CHAT, input="Good morning", max_output_tokens=FEW, stream=True)
    )
    same((events[0].type, events[-1].type), ("response.created", "response.completed"))
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    same(text, events[-1].response.output_text)


@promise("anthropic: a message comes whole, by its api_key")
def _():
    answer = of_anthropic.messages.create(model=CHAT, messages=GREETING, max_tokens=FEW)
    holds(answer.content[0].text, "no text")
    same((answer.stop_reason, answer.usage.output_tokens), ("max_tokens", FEW))


@promise("anthropic: a message comes the same by x-api-key")
def _():
    answer = clients.by_x_api_key(USER).messages.create(model=CHAT, messages=GREETING, max_tokens=FEW)
    same(answer.stop_reason, "max_tokens")


@promise("anthropic: a streamed message says the same in parts, and stops")
def _():
    ask = {"model": CHAT, "messages": GREETING, "max_tokens": FEW}
    events = list(of_anthropic.messages.create(**ask, stream=True))
    same((events[0].type, events[-1].type), ("message_start", "message_stop"))
    with of_anthropic.messages.stream(**ask) as stream:
        parts = "".join(stream.text_stream)
    same(parts, of_anthropic.messages.create(**ask).content[0].text)
