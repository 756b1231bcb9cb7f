"""The one exception a person is meant to read."""


class OnePaperError(Exception):
    """Bad input or a broken environment, told in one line.

    The message names the file or value, says what was expected and what to do about it. The command line prints it
    without a traceback and exits with `exit_code`.
    """

    exit_code = 1


class UsageError(OnePaperError):
    """A wrong command line or configuration: unknown name, value out of range. Exit code 2, as shells expect."""

    exit_code = 2
