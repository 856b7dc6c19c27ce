"""Promises, each a sentence and a function, told as TAP: `ok - <sentence>` or `not ok - <sentence>: why`."""

from pathlib import Path
from traceback import extract_tb

HERE = Path(__file__).parent
_promises = []


def promise(sentence):
    """Registers a function that raises where the promise is broken."""

    def register(function):
        _promises.append((sentence, function))
        return function

    return register


def keep_all():
    """Tries every promise, in the order they were made; the exit code."""
    broken = 0
    for sentence, function in _promises:
        try:
            function()
            print(f"ok - {sentence}", flush=True)
        except Exception as error:  # whatever a client throws is a broken promise, and the next one is still tried
            broken += 1
            print(f"not ok - {sentence}: {why(error)}", flush=True)
    print(f"1..{len(_promises)}")
    return 1 if broken else 0


def why(error):
    """The error in one line, with the line of the suite that it came from."""
    frames = [frame for frame in extract_tb(error.__traceback__) if Path(frame.filename).parent == HERE]
    told = [frame for frame in frames if frame.filename != __file__]
    place = f"{Path(told[-1].filename).name}:{told[-1].lineno}" if told else "?"
    return f"{type(error).__name__} at {place}: {error}".replace("\n", " ")


def same(got, expected):
    """Fails with both values unless they are equal."""
    if got != expected:
        raise AssertionError(f"got {got!r}, expected {expected!r}")


def holds(condition, otherwise):
    """Fails with this sentence unless the condition holds."""
    if not condition:
        raise AssertionError(otherwise)


def fails(function):
    """The error that the function ends with; none is an error."""
    try:
        result = function()
    except Exception as error:
        return error
    raise AssertionError(f"no error, but {str(result)[:200]}")
