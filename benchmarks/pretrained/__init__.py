"""How the network that comes with tinyprune is trained."""
