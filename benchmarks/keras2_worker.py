"""The other end of :mod:`benchmarks.keras2`: a JSON object per line in, the answer of its case per line out."""

import json
import os
import sys


def main() -> None:
    """Answer until the pipe is closed; whatever else is printed goes to stderr."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    from benchmarks import keras2_cases

    cases = {}
    for line in sys.stdin:
        if line not in cases:
            arguments = json.loads(line)
            cases[line] = getattr(keras2_cases, arguments.pop("case"))(**arguments)
        print(json.dumps(cases[line]()), file=answers, flush=True)


if __name__ == "__main__":
    main()
