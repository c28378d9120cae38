"""The one exception for bad input, and how its sentences show a value."""

MOST_SHOWN = 60  # characters of a text
MOST_BITS = 200  # of a whole number whose digits are shown


class UserError(ValueError):
    """Bad input: one sentence that names the field, the value and the remedy. The command line exits 2 on it."""


def shown(value: object) -> str:
    """Return a value as a sentence shows it, on one line: texts in quotes, control characters escaped, cut if long."""
    if isinstance(value, str):
        cut = repr(value[:MOST_SHOWN])
        return cut if len(value) <= MOST_SHOWN else f"{cut} .. ({len(value):,} characters)"
    if isinstance(value, int) and value.bit_length() > MOST_BITS:
        return f"a whole number of about {round(value.bit_length() * 0.30103):,} digits"
    try:
        text = " ".join(str(value).split())
    except ValueError:  # Python does not write integers of thousands of digits
        return f"of type {type(value).__name__}"
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]} .. ({len(text):,} characters)"
