"""YAML from people who may mean harm: no aliases, no repeated keys, no numbers that take minutes to read."""

from __future__ import annotations

from collections.abc import Iterator

import yaml

# Longer than any number of an item; PyYAML reads `1:1:1:…` in a time that grows with the square of its length.
_MAX_NUMBER_CHARS = 40
# An item needs five; libyaml reads nested nodes by calling itself, and would run off its stack.
_MAX_DEPTH = 50


class InvalidYamlError(ValueError):
    """A text is not YAML that is accepted; the message says why, to be read after the name of a file."""


def strict_documents(text: str) -> Iterator[object]:
    """Yield the values of a text's documents.

    Raises:
        InvalidYamlError: If the text is not YAML, or holds what is not accepted.
    """
    try:
        _look_at_structure(text)
        yield from yaml.load_all(text, Loader=_StrictLoader)
    except (yaml.YAMLError, RecursionError) as error:
        raise InvalidYamlError(f"is not YAML: {' '.join(str(error).split())}") from error
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
        # What PyYAML lets through when a scalar is not what its tag or form promises.
        raise InvalidYamlError(f"has a value that cannot be read: {error}") from error


def strict_document(text: str) -> object:
    """Return the value of a text's only document; None for an empty text.

    Raises:
        InvalidYamlError: If the text is not YAML, holds what is not accepted, or more than one document.
    """
    documents = strict_documents(text)
    value = next(documents, None)
    if next(documents, documents) is not documents:
        raise InvalidYamlError("is not YAML: a second document begins where one was expected")
    return value


def _look_at_structure(text: str) -> None:
    """Refuse aliases, which can blow a small file up to gigabytes, and deep nesting, before anything is built.

    Raises:
        yaml.YAMLError: If the text has either, or is not YAML.
    """
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not allowed")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _MAX_DEPTH:
            raise yaml.YAMLError(f"is nested more than {_MAX_DEPTH} deep")


class _StrictLoader(yaml.CSafeLoader):
    """YAML without repeated keys and endless numbers; libyaml reads a bank ten times as fast as Python does."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[object, object]:
        seen: set[str] = set()
        for key, _ in node.value:
            name = str(key.value)
            if name in seen:
                raise yaml.YAMLError(f"the key {name!r} stands twice")
            seen.add(name)
        return super().construct_mapping(node, deep=deep)

    def construct_number(self, node: yaml.ScalarNode) -> int | float:
        if len(node.value) > _MAX_NUMBER_CHARS:
            raise yaml.YAMLError(f"a number has more than {_MAX_NUMBER_CHARS} characters")
        number: int | float = self.construct_yaml_int(node) if node.tag.endswith(":int") else self.construct_yaml_float(node)
        return number


for _tag in ("int", "float"):
    _StrictLoader.add_constructor(f"tag:yaml.org,2002:{_tag}", _StrictLoader.construct_number)
