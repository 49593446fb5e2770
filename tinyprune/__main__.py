"""``python -m tinyprune``: the same as the ``tinyprune`` command."""

from tinyprune.cli import main

if __name__ == "__main__":
    main()
