"""What is measured, each beside its opponent in the same run."""
