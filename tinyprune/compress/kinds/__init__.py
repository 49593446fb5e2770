"""One file per kind of layers: the facts that the graph walks of this room ask for."""
