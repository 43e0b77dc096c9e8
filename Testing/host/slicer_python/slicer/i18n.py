"""Translation functions of Slicer's Python; nothing is translated here. Follows Slicer's Base/Python/slicer/i18n.py."""

from __future__ import annotations


def translate(context: str, text: str) -> str:
    """The text in the language of the application, which is English here; the text itself without an application."""
    if not isinstance(text, str):
        raise TypeError(f"only text can be translated, not {type(text).__name__}")
    try:
        from slicer import app
    except ImportError:
        return text
    return app.translate(context, text)


def tr(text: str) -> str:
    """As `translate`, with the context taken from the calling file; usually imported as `_`."""
    return translate("", text)
