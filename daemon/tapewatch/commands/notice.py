"""Has the daemon notice what a command wrote into the state file."""

import os
import signal
import socket

from tapewatch.parameters import Parameters
from tapewatch.whereabouts import Where, is_running


def tell_daemon(parameters: Parameters, where: Where) -> str:
    """Have the daemon look at the state file at once, where it runs on this machine.

    Parameters
    ----------
    parameters : Parameters
        From tape.par.
    where : Where
        Which process it is.

    Returns
    -------
    str
        When it will notice, for a person to read.
    """
    if not is_running(parameters):
        return "tapewatch does not run now; it is heeded at the next start"
    if where.host == socket.gethostname():
        try:
            os.kill(where.pid, signal.SIGHUP)
        except OSError:  # another user's; the next scan will do
            pass
        else:
            return "tapewatch was told"
    return f"tapewatch will notice within about {parameters.rescan:g} s"
