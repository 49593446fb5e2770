"""Signals that end the program: SIGTERM and SIGHUP do it like Ctrl-C, and all of them surely."""

import os
import signal
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from types import FrameType

from tinyprune.cli.messages import INTERRUPTIONS
from tinyprune.errors import Stopped

#: Signal -> what Python does by itself where it comes.
_ENDING: Mapping[signal.Signals, Callable[[int, FrameType | None], object] | signal.Handlers] = {
    signal.SIGINT: signal.default_int_handler,
    signal.SIGTERM: signal.SIG_DFL,
    signal.SIGHUP: signal.SIG_DFL,
}
#: An end that takes longer is stuck, or its error was swallowed by a library: then the process ends
#: at once, which no file is harmed by. Services and containers wait 10 s before they kill.
LONGEST_SECONDS = 8.0
_NOTHING = b"\0"


@contextmanager
def ending_like_ctrl_c(say: Callable[[BaseException], object]) -> Iterator[None]:
    """Raise Stopped in this thread where one of the signals comes; a second one ends at once.

    The second Ctrl-C is an interruption once more. A library may raise another interruption in its
    place, as Ray does: what comes out of here is Stopped again, whose exit code names the signal.

    A signal that is ignored, as ``nohup`` and a shell's ``&`` do it, or handled by somebody else,
    stays so. ``say``: tells the person about an error; for the case that the process has to be
    ended from outside.
    """
    is_main = threading.current_thread() is threading.main_thread()
    ours = [each for each, usual in _ENDING.items() if is_main and signal.getsignal(each) == usual]
    came: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        signal.signal(number, _ENDING[signal.Signals(number)])
        came.append(number)
        raise Stopped(number)

    if not ours:
        yield
        return
    for each in ours:
        signal.signal(each, stop)
    try:
        with _watched(ours, say):
            yield
    except INTERRUPTIONS as error:
        if came:
            raise Stopped(came[0]) from error
        raise
    finally:
        for each in ours:
            signal.signal(each, _ENDING[each])


@contextmanager
def _watched(
    ours: Collection[signal.Signals], say: Callable[[BaseException], object]
) -> Iterator[None]:
    """End the process where it goes on for too long after one of the signals.

    The number of a signal comes through a pipe, which Python writes to the moment that the signal
    is there, whatever the main thread is doing.
    """
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    is_over = threading.Event()
    arguments = (ours, reading, is_over, say)
    watcher = threading.Thread(target=_watch, args=arguments, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        is_over.set()
        signal.set_wakeup_fd(before)
        with suppress(BlockingIOError):
            os.write(writing, _NOTHING)
        watcher.join()
        os.close(writing)
        os.close(reading)


def _watch(
    ours: Collection[signal.Signals],
    reading: int,
    is_over: threading.Event,
    say: Callable[[BaseException], object],
) -> None:
    """Wait for a signal, and then for the end."""
    number = 0
    while number not in ours:
        [number] = os.read(reading, 1)
        if is_over.is_set():
            return
    if is_over.wait(LONGEST_SECONDS):
        return
    error = Stopped(number)
    # In a thread: nobody may be reading what is said.
    telling = threading.Thread(target=say, args=(error,), daemon=True)
    telling.start()
    telling.join(1)
    os._exit(error.exit_code)
