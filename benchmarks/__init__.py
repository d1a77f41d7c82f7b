"""Accuracy and speed: each file is one command that prints a table."""
