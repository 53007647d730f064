"""The command `tinytrain` itself: errors that a user can mend become a line and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from tinytrain import __version__
from tinytrain.errors import CheckError, DeviceError, InputError

BAD_INPUT = 2
CHECK_FAILED = 1
INTERRUPTED = 130
"""128 and the number of SIGINT, as shells have it."""
RESUMED = ("run", "train")
"""Commands that go on where they were interrupted."""


class Commands(click.Group):
    """Turns the errors that a user can mend into one line and an exit code."""

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        with _usage_in_one_line():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with _usage_in_one_line():
                return super().invoke(ctx)
        except CheckError as error:
            _stop(f"error: {error}", CHECK_FAILED)
        except (InputError, DeviceError) as error:
            _stop(f"error: {error}")
        except (click.ClickException, click.exceptions.Exit):
            raise
        except (KeyboardInterrupt, click.Abort):
            hint = "; start it again to go on" if ctx.invoked_subcommand in RESUMED else ""
            _stop(f"interrupted{hint}", INTERRUPTED)
        except BrokenPipeError:
            # The reader of our output left; there is nobody to tell.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(CHECK_FAILED)
        except OSError as error:
            _stop(f"error: {error.filename or 'system'}: {error.strerror or error}")
        except Exception as error:
            if os.environ.get("TINYTRAIN_DEBUG"):
                raise
            kind = type(error).__name__
            _stop(
                f"error: a defect of tinytrain ({kind}: {error}); "
                "TINYTRAIN_DEBUG=1 shows where: please report it"
            )


def _stop(message: str, code: int = BAD_INPUT) -> None:
    """Ends with one line: whatever a device said before it died is joined."""
    click.echo(" | ".join(line.strip() for line in message.splitlines()), err=True)
    sys.exit(code)


@contextmanager
def _usage_in_one_line() -> Iterator[None]:
    try:
        yield
    except click.UsageError as error:
        message = error.format_message()
        if "\n" in message:
            # The whole help, for a call without a command.
            raise
        command = error.ctx.command_path if error.ctx else "tinytrain"
        _stop(f"error: {message} See `{command} --help`.")


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Example: tinytrain run watch --out demo",
)
@click.version_option(__version__, prog_name="tinytrain")
def main() -> None:
    """From a data set to a microcontroller that goes on learning, bit for bit."""
