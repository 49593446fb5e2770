"""Trials of a sweep as tasks of Ray, which chooses their node and brings back those that died."""

import logging
import pickle
import sys
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

from tinyprune.artifacts.sweep import FAILED, TrialRecord
from tinyprune.config.settings import Config, setting_of
from tinyprune.errors import TinypruneError
from tinyprune.stages import ray_cluster
from tinyprune.stages.ray_cluster import NodeRefused
from tinyprune.stages.ray_task import Surroundings
from tinyprune.stages.run import Run
from tinyprune.stages.sweep_trial import TrialJob
from tinyprune.stages.trial_workers import BYTES_OF_WORKER
from tinyprune.storage.environment import chosen_threads
from tinyprune.storage.recorded import BASELINE
from tinyprune.version import __version__

log = logging.getLogger(__name__)
#: How often Ray begins a trial again whose node or process has died; its last epoch is on disk.
_RETRIES = 3
_CHECK_SECONDS = 120.0  # a node that starts its first process of Python may be slow
_LOOK_SECONDS = 2.0
_TRIAL, _PREFIX, _CHECK = "trial", "prefix", "check"


@dataclass(frozen=True)
class RayRequest:
    """The cluster that trials run on.

    Attributes:
        address: HOST:PORT, "auto", or "local".
        cpus: cores of each trial.
    """

    address: str
    cpus: int = 1


class RayTasks:
    """Trials as tasks of the connected cluster, whose nodes all see the run folder and the data.

    A beginning that several chains share is a task of its own, which theirs wait for: so it is made
    once, and nobody waits with a core in hand.
    """

    def __init__(self, run: Run, request: RayRequest, jobs: int | None) -> None:
        """``jobs``: how many trials at a time; None: as many as the cluster has room for."""
        self._run = run
        self._request = request
        self._most = jobs
        self._where = self._surroundings()
        self._running: dict[Any, TrialJob] = {}
        #: Name of a variant -> the task that makes it.
        self._makers: dict[str, Any] = {}
        self._known: dict[str, str] = {}

    def __enter__(self) -> Self:
        cluster = ray_cluster.nodes()
        ray_cluster.check_room(cluster, self._request.cpus)
        self._remote = self._remote_function(cluster)
        self._check(cluster)
        self._known = {node.id: node.name for node in cluster}
        log.info("Ray: nodes %d, trials at a time %d", len(cluster), self.jobs)
        return self

    def __exit__(self, *error: Any) -> None:
        import ray

        for task in {*self._running, *self._makers.values()}:
            ray.cancel(task, force=True)
        self._running.clear()

    @property
    def jobs(self) -> int:
        """The number of trials that may run at a time."""
        if self._most is not None:
            return self._most
        cluster = ray_cluster.nodes()
        return max(1, sum(node.trials(self._request.cpus) for node in cluster))

    @property
    def running(self) -> int:
        """The number of trials that were begun and have not ended."""
        return len(self._running)

    @property
    def has_room(self) -> bool:
        """True where another trial can begin."""
        return self.running < self.jobs

    def begin(self, job: TrialJob) -> None:
        """Give a trial to Ray."""
        task = self._submitted(_TRIAL, job, self._beginning(job))
        self._running[task] = job
        if job.variant != BASELINE:
            self._makers[job.variant] = task

    def wait(self) -> TrialRecord:
        """Return what came of the next trial that ends, or that Ray has given up.

        Raises NodeRefused for a node, of those that came later, that cannot run trials.
        """
        import ray

        ended: list[Any] = []
        while not ended:
            ended, _ = ray.wait(list(self._running), timeout=_LOOK_SECONDS)
            self._tell_of_dead_nodes()
        job = self._running.pop(ended[0])
        try:
            return _accepted(ray.get(ended[0]))
        except ray.exceptions.RayError as error:
            return job.record(FAILED, _why(error))

    def _beginning(self, job: TrialJob) -> Any:
        """Return the task that a chain has to wait for; None where there is none."""
        if job.variant in self._makers:
            return self._makers[job.variant]
        last = None
        for length in range(len(job.names)):
            part = job.prefix(length)
            if part.variant == BASELINE:
                continue
            if part.variant not in self._makers:
                self._makers[part.variant] = self._submitted(_PREFIX, part, last)
            last = self._makers[part.variant]
        return last

    def _submitted(self, kind: str, job: TrialJob, after: Any) -> Any:
        """Return the task of a job. ``after``: the one that has to have ended before."""
        task = self._remote.options(name=f"{job.variant} {kind}")
        return task.remote(kind, pickle.dumps((self._where, job)), after)

    def _remote_function(self, cluster: list[ray_cluster.Node]) -> Any:
        """Return the function of a node, with what each task asks of it."""
        import ray

        resources = ray.remote(
            num_cpus=self._request.cpus,
            num_gpus=ray_cluster.gpus_of_trial(cluster, self._request.cpus),
            memory=BYTES_OF_WORKER,
            max_retries=_RETRIES,
        )
        return resources(_function_of_node(__version__))

    def _check(self, cluster: list[ray_cluster.Node]) -> None:
        """Raise NodeRefused for the first node that cannot run trials of this sweep."""
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        payload = pickle.dumps((self._where, None))
        checks = {}
        for node in cluster:
            there = NodeAffinitySchedulingStrategy(node.id, soft=False)
            task = self._remote.options(
                num_cpus=0, num_gpus=0, memory=0, scheduling_strategy=there, max_retries=0
            )
            checks[task.remote(_CHECK, payload, None)] = node
        late = ray.wait(list(checks), num_returns=len(checks), timeout=_CHECK_SECONDS)[1]
        for task in late:
            raise NodeRefused(
                f"node {checks[task].name} has not answered within {_CHECK_SECONDS:g} s: is it "
                "overloaded?"
            )
        for task, node in checks.items():
            try:
                _accepted(ray.get(task))
            except ray.exceptions.RayError as error:
                raise NodeRefused(f"node {node.name}: {_why(error)}") from error

    def _surroundings(self) -> Surroundings:
        """Return the places that nodes have to see, and the threads of a trial."""
        recipe = self._run.recipe
        return Surroundings(
            folder=str(self._run.space.root.resolve()),
            here=str(Path.cwd()),
            paths=(*_places(recipe.data), *_places(recipe.model)),
            modules=tuple(path or str(Path.cwd()) for path in sys.path),
            threads=min(self._request.cpus, chosen_threads() or self._request.cpus),
        )

    def _tell_of_dead_nodes(self) -> None:
        """Say once of each node that it has died."""
        alive = {node.id: node.name for node in ray_cluster.nodes()}
        for id, name in self._known.items():
            if id not in alive:
                log.warning("node %s has died: its trials go on elsewhere", name)
        self._known = alive


def _function_of_node(version: str) -> Callable[..., Any]:
    """Return the function that runs on a node.

    It is sent as it is, since it is no member of a module: a node with another version would have
    another one there. It returns what a trial gives, or the line that refuses the node.
    """

    def work(kind: str, payload: bytes, after: Any) -> Any:
        import pickle
        import socket

        node = socket.gethostname()
        try:
            from tinyprune.version import __version__ as found
        except ImportError:
            return f"node {node} has no tinyprune: install version {version} there"
        if found != version:
            return f"node {node} has tinyprune {found}: expected {version}, as on this machine"
        from tinyprune.stages import ray_task

        where, job = pickle.loads(payload)
        missing = where.missing()
        if missing:
            return (
                f"node {node} does not see {missing}: put run folder and data where every node "
                "sees them under the same path"
            )
        if kind == "check":
            return None
        where.enter()
        if kind == "prefix":
            return ray_task.prefix(where, job)
        return ray_task.trial(where, job, node)

    return work


def _accepted(found: Any) -> Any:
    """Return what a node gave. Raises NodeRefused where it is the line that refuses it."""
    if isinstance(found, str):
        raise NodeRefused(found)
    return found


def _places(config: Config) -> list[str]:
    """Return the files and folders of a configuration."""
    places: list[str] = []
    for field in fields(config):
        if not setting_of(field).is_place:
            continue
        value = getattr(config, field.name)
        for path in value if isinstance(value, tuple) else [value]:
            if path is not None:
                places.append(str(Path(path).resolve()))
    return places


def _why(error: Exception) -> str:
    """Return in a line why Ray has given up a task."""
    import ray

    if isinstance(error, ray.exceptions.OutOfMemoryError):
        return "its node has not enough memory: try more --cpus-per-trial, so that fewer share it"
    cause = getattr(error, "cause", None)
    if isinstance(cause, TinypruneError):
        return str(cause)
    if isinstance(error, ray.exceptions.RayTaskError):
        return f"{type(cause).__name__}: {cause}"
    return f"its process or node has died {_RETRIES + 1} times ({type(error).__name__})"
