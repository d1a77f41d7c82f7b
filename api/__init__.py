"""The HTTP service: thin, and replaceable."""
