"""The service's part of the command line; `grader` finds these commands by name, and the library imports none of them."""
