"""Many pairs of clean speech and estimate, scored on all cores.

A metric is a few milliseconds of small matrices and short loops: more threads make one file slower,
more processes make many files faster. So each core has a process of its own that imports nothing
but the metrics and uses one thread.
"""

import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from tinyprune.array_types import Float32Array
from tinyprune.errors import TinypruneError
from tinyprune.metrics.metric import metric_of
from tinyprune.metrics.speech import is_defined
from tinyprune.registry import METRICS

Pair = tuple[Float32Array, Float32Array]
#: Metric name -> value, without what is undefined.
MetricValues = dict[str, float]

#: From this number of scores of slow metrics on, more processes pay for their start.
ENOUGH_SCORES = 250
#: Pairs that wait for each process: enough that none is idle, few enough that memory does not grow
#: with the corpus.
AHEAD = 4
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def score(clean: Float32Array, estimate: Float32Array, metrics: Sequence[str]) -> MetricValues:
    """Return the defined metrics of an estimate (n,) of clean speech (n,): name -> value."""
    if not is_defined(clean, estimate):
        return {}
    values = {}
    for name in metrics:
        value = METRICS[name](clean, estimate)
        if math.isfinite(value):
            values[name] = value
    return values


def score_all(pairs: Iterable[Pair], metrics: Sequence[str], count: int) -> Iterator[MetricValues]:
    """Yield :func:`score` of about ``count`` pairs in their order, on all cores if that is faster.

    Pairs are taken as they are needed, while the ones before are scored. Raises TinypruneError if a
    process dies.
    """
    from joblib import cpu_count

    workers = cpu_count()
    slow_scores = count * sum(metric_of(name).is_slow for name in metrics)
    if workers > 1 and slow_scores >= ENOUGH_SCORES:
        return _in_processes(pairs, metrics, workers)
    return _in_this_process(pairs, metrics)


def _in_this_process(pairs: Iterable[Pair], metrics: Sequence[str]) -> Iterator[MetricValues]:
    """One after the other, each with one thread of linear algebra, as in a process of its own."""
    from threadpoolctl import ThreadpoolController

    controller = ThreadpoolController()
    for clean, estimate in pairs:
        with controller.limit(limits=1):
            found = score(clean, estimate, metrics)
        yield found


def _in_processes(
    pairs: Iterable[Pair], metrics: Sequence[str], workers: int
) -> Iterator[MetricValues]:
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    executor = _executor(workers)
    waiting = deque[Any]()
    try:
        for clean, estimate in pairs:
            waiting.append(executor.submit(score, clean, estimate, metrics))
            if len(waiting) >= AHEAD * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except TerminatedWorkerError as error:
        raise TinypruneError(
            "a process that scores files died: is memory short? Close something and try again"
        ) from error
    finally:
        for future in waiting:
            future.cancel()


def _executor(workers: int) -> Any:
    """Processes that were started anew and stay a while.

    This one may hold TensorFlow, which must not be forked.
    """
    from joblib.externals.loky import get_reusable_executor

    return get_reusable_executor(
        workers, timeout=60, initializer=_leave_interrupts_to_the_parent, env=_ONE_THREAD
    )


def _leave_interrupts_to_the_parent() -> None:
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
