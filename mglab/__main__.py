"""``python3 -m mglab COMMAND``: enter an environment that has the packages, then run the command.

Written so that a Python too old for the rest can still read this file and say so.
"""

import sys

OLDEST = (3, 11)


def too_old():
    # type: () -> str
    """Say in one line what to do about this Python, naming a newer one that is on the PATH."""
    from shutil import which

    newer = [name for name in ("python3.14", "python3.13", "python3.12", "python3.11") if which(name)]
    advice = "try: {} -m mglab".format(newer[0]) if newer else "install one, or: conda env create -f environment.yml"
    return "mglab needs Python {}.{} or newer, and this is {}; {}".format(
        OLDEST[0], OLDEST[1], sys.version.split()[0], advice
    )


def open_closed_streams():
    # type: () -> None
    """Point standard streams that are closed at nothing; else a file of ours would take their place."""
    import os

    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            os.set_inheritable(number, True)
            setattr(sys, name, os.fdopen(number, "r" if number == 0 else "w", closefd=False))


def main():
    # type: () -> int
    """Run one command; gives its exit code."""
    if sys.version_info < OLDEST:
        sys.stderr.write(too_old() + "\n")
        return 1
    open_closed_streams()
    from mglab import bootstrap, cli

    if not {"-h", "--help"} & set(sys.argv[1:2]):  # help needs no packages, nor a minute to install them
        bootstrap.enter(sys.argv[1:])

    return cli.main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
