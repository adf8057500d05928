"""YAML as configurations use it: YAML 1.2's floats, keys once, aliases that do not grow."""

import re
from typing import Any

import yaml

from flows.runtime import UserError

_MOST_VALUES = 100_000  # of a text, its aliases written out


class _Loader(yaml.SafeLoader):
    """YAML with 1.2's floats (5e-4 is a number), without duplicate keys and growing aliases."""

    def get_single_node(self) -> yaml.Node | None:
        node = super().get_single_node()
        if node is not None:
            _count_values(node, {})
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise yaml.constructor.ConstructorError(
                    None, None, f"keys must be text; got {key!r}", key_node.start_mark
                )
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key} stands here twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"),
    list("-+.0123456789"),
)


def _count_values(node: yaml.Node, known: dict[int, int | None]) -> int:
    """Return how many values a node has where every alias is written out.

    Ten lines of aliases of aliases are 10**10 values, which whoever goes through them writes out.
    """
    if id(node) in known:
        count = known[id(node)]
        if count is None:
            raise yaml.composer.ComposerError(
                None, None, "an alias stands within what it is an alias of", node.start_mark
            )
        return count
    known[id(node)] = None
    count = 1
    if isinstance(node, yaml.CollectionNode):
        for child in node.value:
            for part in child if isinstance(child, tuple) else (child,):
                count += _count_values(part, known)
    if count > _MOST_VALUES:
        raise yaml.composer.ComposerError(
            None, None, f"its aliases grow to more than {_MOST_VALUES} values", node.start_mark
        )
    known[id(node)] = count
    return count


def read_yaml(text: str, *, source: str) -> Any:
    """Return the value of a YAML text.

    Args:
        source: how errors name it.

    Raises:
        UserError: it is not YAML, or not what is read here; one line, with its place.
    """
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f":{mark.line + 1}:{mark.column + 1}" if mark and "\n" in text else ""
        raise UserError(f"{source}{place}: not valid YAML: {error.problem}") from None
    except RecursionError:
        raise UserError(f"{source}: not valid YAML: nested too deeply") from None
    except (yaml.YAMLError, ValueError) as error:  # an unprintable character, an impossible date
        line = " ".join(str(error).split())
        raise UserError(f"{source}: not valid YAML: {line}") from None
