"""`grader schema`: the JSON Schema of an item file, for editors."""

from __future__ import annotations

import json

import click


@click.command()
def schema() -> None:
    """Print the JSON Schema of an item file."""
    from grader.items import Item

    document = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Item.model_json_schema()}
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))
