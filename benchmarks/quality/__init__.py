"""Quality of networks that are trained, each way beside another."""
