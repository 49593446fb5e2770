"""A program that runs a command and says which heavy modules it loaded, and how many in all."""

HEAVY = [
    "tensorflow",
    "keras",
    "tensorflow_model_optimization",
    "librosa",
    "ethosu",
    "numpy",
    "scipy",
    "soundfile",
    "PIL",
]

PROBE = f"""
import sys
from tinyprune.cli import main
try:
    main(sys.argv[1:])
finally:
    print([name for name in {HEAVY} if name in sys.modules], len(sys.modules), sep="|", file=sys.stderr)
"""
