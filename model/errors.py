"""The one exception for bad input."""


class UserError(ValueError):
    """Bad input: one sentence that names the field, the value and the remedy. The command line exits 2 on it."""
