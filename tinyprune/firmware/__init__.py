"""C sources for a device: the compiled network, its front end, and the vectors of their test."""
