"""Charts of the pages, drawn by pygal as SVG that stands in the page, without scripts and in the colours of the stylesheet.

What a chart brings along of scripts and styles is taken out, since the pages' policy allows neither in line, and so is the date
on which it was made: the same counts give the same bytes.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple


class Room(NamedTuple):
    """Lengths of a chart of topics in its own units, by which a page keeps room for it before it is there."""

    width: int = 480
    axis: int = 48
    bar: int = 36


ROOM = Room()
# Of a histogram, in its own units, which are pixels where it is shown as wide as it may be.
_WIDTH = 640
# So large are labels on a phone, by the stylesheet; their room is kept everywhere.
_LABEL_SIZE = 20
_MOST_TICKS = 6
# A number of more digits is wider than its bar.
_MOST_PRINTED = 999
# A longer name would leave its bar little room.
_NAME_CHARS = 18
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def histogram(counts: Sequence[int], *, label: str, bar: str, x_title: str, y_title: str, height: int) -> str:
    """Return a histogram of scores as SVG: a bar for each of some equal bins over [0, 1], with its count on it and in its title.

    Args:
        counts: How many scores are in each bin, from the lowest.
        label: What the chart shows. The counts are said after it to those who cannot see it.
        bar: What is said of a bar, with places for `low` and `high` in percent and for its `count`.
        x_title: What is on the one axis, in percent.
        y_title: What is counted.
        height: As a share of a width of 640.
    """
    pygal = _pygal()
    step = 100 / len(counts)
    names = [bar.format(low=round(n * step), high=round((n + 1) * step), count=count) for n, count in enumerate(counts)]
    said = "; ".join(name for name, count in zip(names, counts, strict=True) if count)
    chart = pygal.Histogram(
        **_common(pygal, "histogram", _WIDTH),
        height=height,
        margin_right=30,
        x_title=x_title,
        y_title=y_title,
        xrange=(0, 100),
        range=(0, max(1, *counts)),
        x_labels=(0, 25, 50, 75, 100),
        x_value_formatter=lambda percent: f"{percent:.0f} %",
        value_formatter=lambda count: f"{count:.0f}",
        formatter=lambda value: str(value[0] or ""),
        print_values=max(counts) <= _MOST_PRINTED,
        print_values_position="top",
    )
    bars = [
        {"value": (count, n * step, (n + 1) * step), "label": name}
        for n, (count, name) in enumerate(zip(counts, names, strict=True))
    ]
    chart.add(None, bars)
    chart.add_xml_filter(lambda root: _for_a_page(root, f"{label}: {said}" if said else label))
    return str(chart.render())


def topic_bars(means: Sequence[tuple[str, float]], *, label: str) -> str:
    """Return a bar for each topic as SVG, the first one on top, with its mean in percent at its end and in its title.

    Args:
        means: Topics and their means in [0, 1], at least one.
        label: What the chart shows. The means are said after it to those who cannot see it.
    """
    pygal = _pygal()
    means = [(_NOT_IN_XML.sub("", topic), mean) for topic, mean in means]
    names = [f"{topic}: {mean * 100:.0f} %" for topic, mean in means]
    chart = pygal.HorizontalBar(
        # Else the library makes room for values above bars, which takes the more of the axis the fewer bars there are.
        **_common(pygal, "topic-bars", ROOM.width, value_font_size=0),
        height=ROOM.axis + ROOM.bar * len(means),
        margin_right=70,
        range=(0, 100),
        x_labels=[_shortened(topic) for topic, _ in reversed(means)],
        y_labels=(0, 50, 100),
        truncate_label=-1,
        value_formatter=lambda percent: f"{percent:.0f} %",
        print_values=True,
        print_values_position="top",
    )
    bars = [{"value": mean * 100, "label": name} for name, (_, mean) in zip(names, means, strict=True)]
    chart.add(None, bars[::-1])
    chart.add_xml_filter(lambda root: _for_a_page(root, f"{label}: {'; '.join(names)}"))
    return str(chart.render())


def _shortened(name: str) -> str:
    """Return a name as there is room for it, with what stands behind it in brackets."""
    name, bracket, count = name.rpartition(" (") if name.endswith(")") else (name, "", "")
    room = _NAME_CHARS - len(bracket + count)
    return (name if len(name) <= room else f"{name[: max(1, room - 1)]}…") + bracket + count


def _common(pygal: Any, kind: str, width: int, **style: int) -> dict[str, Any]:  # noqa: ANN401 a module without types
    """Return what all charts of the pages are told; `kind` is a class for the stylesheet, and `style` what else text measures."""
    return {
        "width": width,
        "margin": 6,
        "style": pygal.style.Style(label_font_size=_LABEL_SIZE, title_font_size=_LABEL_SIZE, **style),
        "classes": ("chart", kind),
        # Else the chart has a name by chance.
        "no_prefix": True,
        "js": (),
        "css": (),
        "disable_xml_declaration": True,
        "show_legend": False,
        "order_min": 0,
        "max_scale": _MOST_TICKS,
    }


def _pygal() -> Any:  # noqa: ANN401 a module without types
    """Return the library, without what it does to the imports of the whole process."""
    # Imported here, since that takes 65 ms and many processes draw no chart.
    import pygal  # noqa: PLC0415

    # A finder of maps that nobody has here; Python 3.11 warns at every import that it is of an old kind.
    sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__module__ != pygal.__name__]
    return pygal


def _for_a_page(root: Any, said: str) -> Any:  # noqa: ANN401 the element of whichever XML library pygal has found
    """Return a chart that a page may hold: without scripts, styles and what only they use, and with a name."""
    for node in list(root.iter()):
        node.attrib.pop("style", None)
        for child in list(node):
            # The title of a whole chart would cover those of its bars.
            if not isinstance(child.tag, str) or child.tag in ("defs", "title") or _only_for_scripts(child):
                node.remove(child)
            elif child.tag == "desc":
                child.tag = "title"
                child.attrib.clear()
    del root.attrib["id"]
    root.set("role", "img")
    root.set("aria-label", said)
    return root


def _only_for_scripts(node: Any) -> bool:  # noqa: ANN401 as above
    kind = node.get("class", "")
    return "tooltip" in kind.split() or (node.tag == "desc" and kind != "label")
