"""Records that flow between the stages: frozen, the unit of every number in its name."""
