"""Errors a user can mend: one line that says what, where, what is allowed and what to do."""


class InputError(ValueError):
    """Wrong use or bad input. The command line prints the message and exits with 2."""


class CheckError(RuntimeError):
    """A proof that failed: a device that does not do what the emulator does. Exit code 1."""


class DeviceError(RuntimeError):
    """A device that cannot be built, started or reached, or that answers with an error."""
