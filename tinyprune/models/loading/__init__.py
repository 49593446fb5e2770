"""A user's own network: found, loaded, and brought to Keras 3."""
