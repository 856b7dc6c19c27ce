"""What the checks of the images share: where things are, and one line per check."""

import pathlib

HERE = pathlib.Path(__file__).resolve().parent.parent
FILES = HERE / "files"


def say(name, faults):
    """Prints `ok name`, or `not ok name` with what is wrong, and says which."""
    faults = list(faults)
    print(f"{'not ok' if faults else 'ok'} {name}")
    for fault in faults:
        print(f"  {fault}")
    return not faults
