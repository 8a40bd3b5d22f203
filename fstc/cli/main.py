"""Entry point: run a command and turn whatever ends it into an exit code.

Example: ``main(["parse", "model.fir"])`` returns 0, or 3 when the file is refused. click's own
``main`` is not used: it exits with 1 on Ctrl-C and on a closed pipe, which would look like a finding.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType

import click

from fstc.cli.group import cli

YOUNG = 200_000  # objects made before the collector looks for cycles; graphs are large and have none
USAGE, INTERNAL, TEMPORARY = 2, 70, 75
INTERRUPTED, CLOSED_PIPE, TERMINATED = 130, 141, 143


class Terminated(BaseException):
    """SIGTERM arrived; unwinding removes temporary files."""


def main(argv: Sequence[str] | None = None) -> int:
    arguments = list(sys.argv[1:] if argv is None else argv)
    before = signal.signal(signal.SIGTERM, _terminate)
    thresholds = gc.get_threshold()
    gc.set_threshold(YOUNG, 50, 50)  # Python's own costs a third of the time of a large graph
    try:
        try:
            return _run(arguments)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        _discard_streams()
        return CLOSED_PIPE
    except KeyboardInterrupt:
        return INTERRUPTED
    except Terminated:
        return TERMINATED
    finally:
        signal.signal(signal.SIGTERM, before)
        gc.set_threshold(*thresholds)


def _run(arguments: list[str]) -> int:
    try:
        with cli.make_context("fstc", list(arguments)) as context:
            result = cli.invoke(context)
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except click.Abort:
        return INTERRUPTED
    except click.ClickException as usage:
        usage.show()
        return USAGE
    except BrokenPipeError:
        raise
    except Exception as error:
        return _failed(error, arguments)


def _failed(error: Exception, arguments: list[str]) -> int:
    """A refusal is rendered; anything else is a bug and leaves a bundle."""
    from fstc.support.diagnostics import FstcError

    if isinstance(error, FstcError):
        from fstc.cli.output import show_diagnostics

        show_diagnostics(error.diagnostics)
        return error.exit_code
    from fstc.cli.failure import leave_bundle

    click.echo(leave_bundle(error, arguments), err=True)
    return INTERNAL


def _terminate(signum: int, frame: FrameType | None) -> None:
    raise Terminated


def _discard_streams() -> None:
    """Keep the interpreter's last flush from failing on the closed pipe."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            os.dup2(devnull, stream.fileno())
