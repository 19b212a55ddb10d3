"""Start a program, wait for it, and be to everybody who looks as if one were that program.

Promised on Linux: a signal that somebody sends to us goes on to the program, one that the terminal sends to
all of its foreground group reaches it once, and that the terminal has closed it learns in any case; when it
stops, so do we, and when it dies by a signal, so do we. Where the system does not tell who sent a signal
(macOS), SIGINT, SIGQUIT, SIGTSTP and SIGWINCH count as the terminal's. Not promised: that a SIGSTOP to us,
which nobody can catch, stops the program; that a signal which somebody sends to the whole group comes once;
any of it on Windows, where the console tells both.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["Signals", "end_like", "held_signals", "run_child"]

_PATIENCE_S = 0.5
Signals = frozenset[int]
_NAMES = (
    *("SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGUSR1", "SIGUSR2"),
    *("SIGWINCH", "SIGTSTP", "SIGCONT", "SIGCHLD"),
)
_HELD: Signals = frozenset(getattr(signal, name) for name in _NAMES if hasattr(signal, name))
# Ignored unless somebody handles them, and what is ignored need not become pending.
_QUIET: Signals = frozenset(
    getattr(signal, name) for name in ("SIGCHLD", "SIGCONT", "SIGWINCH") if hasattr(signal, name)
)
_OF_TERMINAL: Signals = frozenset(
    getattr(signal, name) for name in ("SIGINT", "SIGQUIT", "SIGTSTP", "SIGWINCH") if hasattr(signal, name)
)
# By these somebody wants an end of us.
_ENDING: Signals = frozenset(
    getattr(signal, name) for name in ("SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM") if hasattr(signal, name)
)
# What Python itself ignores; a program expects to find them as they are by default.
_PYTHONS: Signals = frozenset(
    getattr(signal, name) for name in ("SIGPIPE", "SIGXFZ", "SIGXFSZ") if hasattr(signal, name)
)


@contextlib.contextmanager
def held_signals(ignored: Signals = frozenset()) -> Iterator[Signals]:
    """Let signals wait while the block runs; :func:`run_child` takes them up, and the rest is dropped.

    So what is made for a program and removed after it cannot be left behind by a signal at the wrong moment.

    Args:
        ignored: Signals that we were started with as ignored, and that the program has to find so.

    Yields:
        The signals that waited already before.
    """
    if sys.platform == "win32":
        earlier = signal.signal(signal.SIGINT, lambda *_: None)
        try:
            yield frozenset()
        finally:
            signal.signal(signal.SIGINT, earlier)
        return
    before = frozenset(signal.pthread_sigmask(signal.SIG_BLOCK, _HELD))
    handlers = {number: signal.signal(number, signal.SIG_IGN) for number in ignored}
    handlers |= {number: signal.signal(number, _nothing) for number in _QUIET - ignored}
    try:
        yield before
    finally:
        while late := signal.sigpending() & (_HELD - before):
            signal.sigwait(late)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def run_child(
    program: str, arguments: Sequence[str], env: Mapping[str, str], *, held: Signals, kept_open: int | None
) -> int:
    """Run a program with our standard streams until it ends; not at all if a signal that waits would end us.

    Args:
        program: Its path.
        arguments: Without its name.
        env: Its whole environment.
        held: What :func:`held_signals`, in whose block this is called, gave.
        kept_open: A descriptor of ours that stays open in the program, if any does.

    Returns:
        Its exit status, or the signal that ended it or came before it was started, negative.

    Raises:
        OSError: It cannot be started.
    """
    if sys.platform == "win32":
        return subprocess.call([program, *arguments], env=env)
    if kept_open is not None:
        os.set_inheritable(kept_open, True)
    waiting: Signals = frozenset(signal.sigpending()) & (_ENDING - held)
    if ours := [number for number in waiting if signal.getsignal(number) is not signal.SIG_IGN]:
        return -min(ours)
    child = os.posix_spawn(
        program, [program, *arguments], env, setsigmask=sorted(held), setsigdef=sorted(_PYTHONS)
    )
    return _wait(child)


def end_like(ended: int) -> int:
    """End as the program did: by the same signal, if it was one.

    Args:
        ended: What :func:`run_child` returned.

    Returns:
        The exit status to leave with. Where a signal ends nobody, as in the first process of a container,
        that is 128 and its number, as shells count.
    """
    if ended >= 0:
        return ended
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # our memory holds the token
        _suffer(-ended)
    return 128 - ended


def _nothing(*_: object) -> None:
    pass


if sys.platform != "win32":

    def _wait(child: int) -> int:
        is_stopped = False
        while True:
            number, is_for_child = _next_signal(child)
            if number == signal.SIGCHLD:
                while True:
                    found, status = os.waitpid(child, os.WNOHANG | os.WUNTRACED | os.WCONTINUED)
                    if found == 0:
                        break
                    if os.WIFSTOPPED(status):
                        is_stopped = True
                        _suffer(os.WSTOPSIG(status))
                    elif os.WIFCONTINUED(status):
                        is_stopped = False
                    else:
                        return os.waitstatus_to_exitcode(status)
            elif number == signal.SIGCONT:
                if is_stopped:
                    os.kill(child, signal.SIGCONT)
            elif is_for_child:
                os.kill(child, number)  # not yet waited for, so the number is still its own

    def _next_signal(child: int) -> tuple[int, bool]:
        """The next one, and whether the program has yet to get it."""
        if sys.platform == "darwin":
            number = signal.sigwait(_HELD)
            return number, number not in _OF_TERMINAL
        info = signal.sigtimedwait(_HELD, _PATIENCE_S)
        if info is None:  # another thread, which holds no signals, may have got that of the program's end
            return signal.SIGCHLD, False
        # Not above 0: from a process (sigaction(2), si_code), and not from the kernel for the terminal.
        is_sent = info.si_code <= 0 and info.si_pid != child
        # That the terminal has closed it tells the first process of the session alone, which we may be.
        is_closed = info.si_code > 0 and info.si_signo == signal.SIGHUP
        return info.si_signo, is_sent or is_closed

    def _suffer(number: int) -> None:
        """Let a signal do to us what it does by default; returns if that only stopped us, or did nothing."""
        if number in {signal.SIGKILL, signal.SIGSTOP}:
            os.kill(os.getpid(), number)
            return
        handler = signal.signal(number, signal.SIG_DFL)
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {number})
        os.kill(os.getpid(), number)  # one with what the terminal may have sent us too
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        signal.signal(number, handler)
