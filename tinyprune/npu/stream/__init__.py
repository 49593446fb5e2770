"""A functional simulator of the command streams that Vela makes for Ethos-U: bytes, no time."""
