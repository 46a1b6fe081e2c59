"""The command line: ``python3 -m mglab COMMAND``, or ``mglab COMMAND`` once it is installed.

Only this module turns errors into exit codes. The words that are understood are in ``grammar``, what they do is in
``commands``, ``cloud_commands`` and ``testing``.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence

from mglab import grammar
from mglab.errors import LabError, OutputsUnwritable, UsageError

UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; gives its exit code."""
    try:
        options = grammar.read(sys.argv[1:] if arguments is None else list(arguments))
        return int(options.command(options))
    except LabError as error:
        return complain(error)
    except KeyboardInterrupt:
        print("mglab: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # who read us has gone: nothing to tell
        return 0
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        words = f"cannot write {error.filename or 'the outputs'}: {error.strerror}"
        return complain(OutputsUnwritable(words, hint="free space, or name another folder: MGLAB_OUTPUTS=FOLDER"))


def complain(error: LabError) -> int:
    """Print what went wrong and what to do next, on standard error; gives the exit code."""
    sys.stdout.flush()
    joined = f"{error.message}; {error.hint}" if isinstance(error, UsageError) and error.hint else str(error)
    print(f"mglab: {joined}", file=sys.stderr)
    return error.exit_code
