"""A Ray cluster: connecting to it, in time, and what its nodes hold.

Moritz et al. 2018, "Ray: A Distributed Framework for Emerging AI Applications".
"""

import logging
import math
import os
import re
import signal
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tinyprune.errors import TinypruneError, UsageError, reason
from tinyprune.stages.trial_workers import BYTES_OF_WORKER

log = logging.getLogger(__name__)
#: Addresses beside HOST:PORT: a Ray of one's own, and the one that runs on this machine.
LOCAL, AUTO = "local", "auto"
EXPECTED = "HOST:PORT of `ray start --head`, auto for the cluster of this machine, or local"
_ADDRESS = re.compile(r"[^\s/]+:(?P<port>\d{1,5})")
_LAST_PORT = 65_535
_CONNECT_SECONDS = 5.0
#: The begin of a connection of HTTP/2, and the frame that the other end begins with (RFC 9113).
_HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
_FRAME_TYPE, _SETTINGS, _HEADER_BYTES = 3, 4, 9
#: Trials need none of it: what they are given and give back is a few kilobytes.
_OBJECT_STORE_BYTES = 100_000_000
#: Whether Ray has been asked for encryption, so that nothing plain is answered.
_ENCRYPTED = "RAY_USE_TLS"


@dataclass(frozen=True)
class Node:
    """A machine of a cluster.

    Attributes:
        id: by which tasks are sent to it.
        name: what people call it: its host name, or else its address.
        resources: name of a resource -> how much of it there is, as Ray counts them.
    """

    id: str
    name: str
    resources: Mapping[str, float]

    def trials(self, cpus: int) -> int:
        """Return how many trials of so many cores it has room for."""
        by_cores = self.resources.get("CPU", 0) // cpus
        by_memory = self.resources.get("memory", math.inf) // BYTES_OF_WORKER
        return int(min(by_cores, by_memory))


def check_address(address: str) -> None:
    """Raise UsageError for what is no address of Ray."""
    if address in (LOCAL, AUTO):
        return
    found = _ADDRESS.fullmatch(address)
    if found and int(found["port"]) <= _LAST_PORT:
        return
    raise UsageError(
        f"--ray {address}: expected {EXPECTED}; a Ray of this command alone is --ray at the end of "
        "the line, or --ray=local"
    )


def check_answers(address: str) -> None:
    """Raise UsageError where no Ray answers at an address, within seconds.

    Ray itself would try for minutes. Its head speaks gRPC, so it answers as HTTP/2 does.
    """
    if address == AUTO:
        address = os.environ.get("RAY_ADDRESS", AUTO)
    if address in (LOCAL, AUTO):  # Ray looks for its processes, and says at once if there are none
        return
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=_CONNECT_SECONDS) as channel:
            if os.environ.get(_ENCRYPTED, "0") not in ("", "0"):
                return
            channel.sendall(_HELLO)
            answer = channel.recv(_HEADER_BYTES)
    except TimeoutError:
        raise _no_answer(address, f"nothing comes within {_CONNECT_SECONDS:g} s") from None
    except OSError as error:
        raise _no_answer(address, reason(error)) from None
    if len(answer) <= _FRAME_TYPE or answer[_FRAME_TYPE] != _SETTINGS:
        raise _no_answer(address, "what answers there is no Ray")


@contextmanager
def connected(address: str) -> Iterator[None]:
    """Keep a connection to a cluster; its tasks end with it.

    Raises UsageError where nothing answers, within seconds.
    """
    import tempfile

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    import ray

    settings: dict[str, Any] = {"address": address}
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder:
        if address == LOCAL:
            settings |= {"include_dashboard": False, "object_store_memory": _OBJECT_STORE_BYTES}
            settings["_temp_dir"] = folder
        check_answers(address)
        before = signal.getsignal(signal.SIGTERM)
        try:
            ray.init(log_to_driver=False, logging_level=logging.ERROR, **settings)
        except Exception as error:  # Ray has no class for what goes wrong at its start
            ray.shutdown()
            raise UsageError(_not_connected(address, error)) from error
        finally:
            signal.signal(signal.SIGTERM, before)  # Ray puts its own in its place
        try:
            yield
        finally:
            ray.shutdown()


def nodes() -> list[Node]:
    """Return the machines of the cluster that are alive."""
    import ray

    found = []
    for node in ray.nodes():
        if node["Alive"]:
            name = node["NodeManagerHostname"] or node["NodeManagerAddress"]
            found.append(Node(node["NodeID"], name, node["Resources"]))
    return found


def check_room(cluster: Sequence[Node], cpus: int) -> None:
    """Raise UsageError where no machine has room for a trial."""
    if any(node.trials(cpus) for node in cluster):
        return
    largest = max(cluster, key=lambda node: node.resources.get("CPU", 0))
    cores = largest.resources.get("CPU", 0)
    gigabytes = largest.resources.get("memory", 0) / 1e9
    raise UsageError(
        f"no node has room for a trial of {cpus} cores and {BYTES_OF_WORKER / 1e9:g} GB: the "
        f"largest, {largest.name}, has {cores:g} cores and {gigabytes:.1f} GB; try fewer "
        "--cpus-per-trial"
    )


def gpus_of_trial(cluster: Sequence[Node], cpus: int) -> float:
    """Return the GPUs that each trial asks for: the share of one in its node, where all have some.

    Where a node has none, trials ask for none: else that node would stay idle.
    """
    shares = []
    for node in cluster:
        trials = node.trials(cpus)
        if trials:
            shares.append(node.resources.get("GPU", 0) / trials)
    least = min(shares, default=0.0)
    return min(1.0, math.floor(least * 100) / 100)


def _no_answer(address: str, why: str) -> UsageError:
    return UsageError(
        f"--ray {address} does not answer ({why}): expected {EXPECTED}; is it running, and may "
        "this machine reach it?"
    )


def _not_connected(address: str, error: Exception) -> str:
    """Return the line for a cluster that Ray did not start, or not connect to."""
    why = _first_sentence(error)
    if address == LOCAL:
        return f"--ray: {why}; is this machine overloaded? try again, or --jobs N without Ray"
    return f"--ray {address}: {why}; expected {EXPECTED}"


def _first_sentence(error: Exception) -> str:
    """Return the begin of an error of Ray, which may be pages long."""
    text = " ".join(str(error).split())
    if not text:
        return type(error).__name__
    sentence = text.split(". ")[0].rstrip(".")
    return f"{sentence} ({type(error).__name__})"


class NodeRefused(TinypruneError):
    """A node that cannot run trials of this sweep: its line names it."""
