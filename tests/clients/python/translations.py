"""LibreTranslate's own Python client, unchanged."""

import clients
from clients import EXPIRED
from promises import fails, holds, promise, same

of_libretranslate = clients.of_libretranslate()


@promise("libretranslate: a text is translated, its placeholders and lines kept")
def _():
    text = "Dear {name},\n\n  - see https://example.com/a?b=c"
    translated = of_libretranslate.translate(text, "en", "de")
    holds("{name}" in translated and "https://example.com/a?b=c" in translated, translated)
    same(len(translated.split("\n")), 3)


@promise("libretranslate: languages are listed and detected")
def _():
    languages = of_libretranslate.languages()
    holds({"code", "name", "targets"} <= set(languages[0]), f"{languages[0]}")
    found = of_libretranslate.detect("Dies ist ein deutscher Satz, den man gut erkennen kann.")
    same(found[0]["language"], "de")


@promise("libretranslate: who may not is told so in its form")
def _():
    error = fails(lambda: clients.of_libretranslate(EXPIRED).translate("Hi", "en", "de"))
    same(error.code, 401)
    holds(b'"error"' in error.read(), "no error in the body")
