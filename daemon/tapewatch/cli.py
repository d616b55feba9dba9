"""The command ``tapewatch``: its subcommands, options and exit codes.

What a command needs is imported when it runs: ``tapewatch status`` need not wait for what only
the daemon uses.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from tapewatch import __version__
from tapewatch.errors import DamagedLedgerError, FatalError, TapewatchError

_Command = Callable[[argparse.Namespace], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``tapewatch``.

    Parameters
    ----------
    arguments : sequence of str or None
        Of the command line, without the program's name; None: `sys.argv`.

    Returns
    -------
    int
        0 done; 1 a frame failed, or the command did; 2 usage; 75 another tapewatch holds the
        folder; 78 bad configuration.
    """
    given = sys.argv[1:] if arguments is None else arguments
    options = _parser(simulating=given[:1] == ["simulate"]).parse_args(given)
    command: _Command = options.command
    try:
        code = command(options)
        if sys.stdout is not None:
            sys.stdout.flush()  # here, where a reader that has gone can be dealt with
    except DamagedLedgerError as error:
        hint = (
            "`tapewatch run` or `once` sets it aside at its start, and finds out anew what it told"
        )
        print(f"tapewatch: {error}; {hint}", file=sys.stderr)
        return error.exit_code
    except FatalError as error:
        print(f"tapewatch: {error}", file=sys.stderr)
        return error.exit_code
    except TapewatchError as error:
        print(f"tapewatch: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # `tapewatch status | head`
        # What is left in the buffer goes nowhere, without a word of Python's at the exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130
    return code


def _parser(*, simulating: bool) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tapewatch",
        description="Watch a telescope camera's folder and calibrate every frame as it arrives.",
        epilog="exit codes: 0 done; 1 a frame failed, or the command did; 2 usage;"
        " 75 another tapewatch holds the folder; 78 bad configuration",
    )
    parser.add_argument("--version", action="version", version=f"tapewatch {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for name, command, about, as_json in (
        ("run", _run, "watch the folder and calibrate until stopped", False),
        ("once", _once, "process what the folder holds, and end", False),
        ("status", _status, "what became of every frame", True),
        ("masters", _masters, "the masters: what of, how old, how good, and who uses them", True),
        ("why", _why, "the state of one frame or master, and the reason", True),
        ("verify", _verify, "make files again from what their headers name, and compare", True),
        ("mark", _mark, "call a frame or master bad, or good after all", False),
        ("retry", _retry, "try anew what failed, stalled or was rejected", False),
        ("tail", _tail, "follow the log of the daemon", False),
        ("check", _check, "check tape.par and say what would be done", True),
    ):
        one = commands.add_parser(name, help=about, description=f"{about.capitalize()}.")
        _add_common(one, as_json=as_json)
        one.set_defaults(command=command)
        _add_own(one, name)
    _add_simulate(commands, chosen=simulating)
    return parser


def _add_own(parser: argparse.ArgumentParser, name: str) -> None:
    if name == "why":
        parser.add_argument("file", metavar="FILE", help="a raw frame, or a master")
    if name == "mark":
        parser.add_argument("verdict", choices=("bad", "good"), help="what it is")
        parser.add_argument("files", metavar="FILE", nargs="+", help="raw frames or masters")
        parser.add_argument("--why", default="", metavar="TEXT", help="for the reason of its state")
    if name == "retry":
        parser.add_argument(
            "files", metavar="FILE", nargs="+", help="raw frames; one of a set for its master"
        )
    if name == "verify":
        parser.add_argument("files", metavar="FILE", nargs="+", help="a product or master")
    if name == "check":
        parser.add_argument(
            "--unit",
            action="store_true",
            help="print the drop-in by which a systemd service reaches these folders",
        )
    if name == "status":
        parser.add_argument(
            "--wait",
            type=float,
            metavar="SECONDS",
            help="first wait until no frame waits or is worked on, at most so long",
        )
    if name == "tail":
        parser.add_argument(
            "-n", dest="lines", type=int, default=20, metavar="LINES", help="begin so many back"
        )


def _add_common(parser: argparse.ArgumentParser, *, as_json: bool) -> None:
    parser.add_argument(
        "--par",
        type=Path,
        default=Path("tape.par"),
        metavar="FILE",
        help="parameter file (default: ./tape.par)",
    )
    parser.add_argument("--workdir", type=Path, metavar="DIR", help="instead of WORKDIR in it")
    if as_json:
        parser.add_argument("--json", action="store_true", help="as one JSON object")


def _add_simulate(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", *, chosen: bool
) -> None:
    about = "write a simulated night into a folder, as a camera does"
    parser = commands.add_parser(
        "simulate",
        help=about,
        description=f"{about.capitalize()}.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    if chosen:  # its options bring numpy along, on which no other command shall wait
        from tapewatch.commands import simulate

        simulate.add_arguments(parser)
        parser.set_defaults(command=simulate.run)


def _run(options: argparse.Namespace) -> int:
    return _serve(options, once=False)


def _once(options: argparse.Namespace) -> int:
    return _serve(options, once=True)


def _serve(options: argparse.Namespace, *, once: bool) -> int:
    from tapewatch import forkserver
    from tapewatch.parameters import read_parameters

    reread = partial(read_parameters, options.par, workdir=options.workdir)
    parameters = reread()
    forkserver.start()  # it loads what workers need while we load what the service needs
    from tapewatch.service.loop import Service

    return Service(parameters, once=once, reread=reread).run()


def _status(options: argparse.Namespace) -> int:
    from tapewatch.commands.report import status

    return status(options)


def _masters(options: argparse.Namespace) -> int:
    from tapewatch.commands.masters import masters

    return masters(options)


def _why(options: argparse.Namespace) -> int:
    from tapewatch.commands.why import why

    return why(options)


def _verify(options: argparse.Namespace) -> int:
    from tapewatch.commands.verify import verify

    return verify(options)


def _mark(options: argparse.Namespace) -> int:
    from tapewatch.commands.mark import mark

    return mark(options)


def _retry(options: argparse.Namespace) -> int:
    from tapewatch.commands.retry import retry

    return retry(options)


def _tail(options: argparse.Namespace) -> int:
    from tapewatch.commands.tail import tail

    return tail(options)


def _check(options: argparse.Namespace) -> int:
    from tapewatch.commands.check import check

    return check(options)
