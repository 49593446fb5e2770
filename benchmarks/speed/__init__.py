"""Times and memory, each beside an opponent."""
