"""The `grader` command: one module for each command. The only part of the library that looks at the environment."""

from grader.cli.app import main

__all__ = ["main"]
