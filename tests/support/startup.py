"""A program that runs a command and says which heavy modules it loaded, and how long it took."""

HEAVY = [
    "tensorflow",
    "keras",
    "tensorflow_model_optimization",
    "librosa",
    "ethosu",
    "numpy",
    "scipy",
    "soundfile",
]

# CPU time of the process, not wall-clock time: other work on the machine does not count.
PROBE = f"""
import sys, time
from tinyprune.cli import main
try:
    main(sys.argv[1:])
finally:
    print([name for name in {HEAVY} if name in sys.modules], time.process_time(), sep="|", file=sys.stderr)
"""
