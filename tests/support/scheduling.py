"""The distribution of test files over processes (pytest-xdist)."""

from pathlib import Path

from xdist.scheduler import LoadFileScheduling

#: Files whose tests take long and have nothing in common: each goes where there is time for it.
SPREAD = ("tests/benchmarks/test_smoke.py", "tests/training/test_kill_and_resume.py")
#: Fixtures that take long to make -> those that are made from them.
RUNS = {"image_run": ("image_run_copy", "structures_run"), "finished_run": ("run_copy",)}


class RunsOnce(LoadFileScheduling):
    """Whole files go to a process, and all files that need the same finished run to the same one."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        if file in SPREAD:
            return nodeid
        if file not in self._runs:
            self._runs[file] = run_of(Path(str(self.config.rootpath)) / file) or file
        return self._runs[file]

    @property
    def _runs(self) -> dict[str, str]:
        return self.__dict__.setdefault("_run_of_file", {})


def run_of(file: Path) -> str | None:
    """Return the finished run that a file of tests needs, by the names of its fixtures."""
    text = file.read_text(encoding="utf-8")
    for run, copies in RUNS.items():
        if any(name in text for name in (run, *copies)):
            return run
    return None
