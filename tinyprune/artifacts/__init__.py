"""What flows between the stages: frozen data classes, the unit of every number in its name."""
