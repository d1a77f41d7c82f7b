"""The service's commands by name: they are looked up when they are run, so that the library imports nothing of the service."""

from __future__ import annotations

import importlib

import click

_COMMANDS = {
    "db": "api.commands.db:db",
    "keys": "api.commands.keys:keys",
    "purge": "api.commands.purge:purge",
    "serve": "api.commands.serve:serve",
    "worker": "api.commands.worker:worker",
}


class CommandLine(click.Group):
    """The library's own commands, and those of the service."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return sorted([*super().list_commands(ctx), *_COMMANDS])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, imported now if it is the service's."""
        if cmd_name not in _COMMANDS:
            return super().get_command(ctx, cmd_name)
        module, _, name = _COMMANDS[cmd_name].partition(":")
        command = getattr(importlib.import_module(module), name)
        return command if isinstance(command, click.Command) else None
