"""The official Python clients against the gateway: how they see its answers, its refusals and its waits.

Run by scripts/clients.sh, which says by environment where the gateways are.
"""

import sys

import answers  # noqa: F401  (the order of the imports is the order of the promises)
import management  # noqa: F401
import refusals  # noqa: F401
import translations  # noqa: F401
import waits  # noqa: F401
from promises import keep_all

sys.exit(keep_all())
