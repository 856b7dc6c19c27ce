"""What an administrator does with models: pull with progress, list, delete."""

import clients
from promises import fails, holds, promise, same

NEW = "tinyllama"

admin = clients.of_ollama(clients.ADMIN)


def listed():
    return f"{NEW}:latest" in [model.model for model in admin.list().models]


@promise("ollama: an administrator pulls a model and sees how far it is")
def _():
    parts = list(admin.pull(NEW, stream=True))
    same((parts[0].status, parts[-1].status), ("pulling manifest", "success"))
    holds(any(part.total and part.completed == part.total for part in parts), "no progress")


@promise("ollama: a pull that is not streamed answers once, with success")
def _():
    same(admin.pull(NEW).status, "success")


@promise("ollama: a pulled model is in the list at once, and can be shown")
def _():
    holds(listed(), "it is not in the list")
    admin.show(NEW)


@promise("ollama: an administrator deletes a model, once")
def _():
    same(admin.delete(NEW).status, "success")
    same(fails(lambda: admin.delete(NEW)).status_code, 404)


@promise("ollama: a deleted model leaves the list at once")
def _():
    holds(not listed(), "it is still in the list")
