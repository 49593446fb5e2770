"""The opponents that need Keras 2, TFMOT among them: a process of their own that answers over a pipe.

Started with ``TF_USE_LEGACY_KERAS=1`` and kept waiting, so that its cases take turns with ours.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Any

from benchmarks.shared.environment import ROOT
from benchmarks.shared.report import Unavailable


class Keras2:
    """The process. A context manager."""

    def __init__(self) -> None:
        environment = os.environ | {"TF_USE_LEGACY_KERAS": "1"}
        command = [sys.executable, "-m", "benchmarks.shared.keras2.worker"]
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> "Keras2":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.stdin.close()
        self._process.wait()

    def ask(self, case: str, **arguments: Any) -> Any:
        """What a case of :mod:`benchmarks.shared.keras2.cases` gives; it is set up when it is asked for the first time."""
        self._process.stdin.write(json.dumps({"case": case, **arguments}) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise Unavailable(
                f"the Keras 2 process ended with exit code {self._process.wait()} at '{case}'"
            )
        return json.loads(answer)

    def case(self, case: str, kind: Callable[..., Any], **arguments: Any) -> Callable[[], Any]:
        """The same as a function without arguments; ``kind`` makes a sample of the numbers in the answer."""
        return lambda: kind(*self.ask(case, **arguments))
