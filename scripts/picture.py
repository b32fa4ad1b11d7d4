"""Draws what comes on standard input, colours and all, as a picture of a terminal: picture.py FILE TITLE.

The probe's long sheet is left out; everything else is as it was printed."""

import io
import re
import sys

from rich.console import Console
from rich.text import Text

# Without the web fonts of rich's own frame: a page that shows the picture must not call anybody.
FRAME = """<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg" role="img" aria-label="TITLE">
<style>.{unique_id}-matrix {{ font-family: monospace; font-size: {char_height}px; line-height: {line_height}px; }}
.{unique_id}-title {{ font-size: 18px; font-family: sans-serif; }}
{styles}</style>
<defs><clipPath id="{unique_id}-clip-terminal"><rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" /></clipPath>{lines}</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">{backgrounds}
<g class="{unique_id}-matrix">{matrix}</g></g>
</svg>
"""


def without_probe(text: str) -> str:
    """Drops the lines between the probe's command and the next part of the tour."""
    kept, skipping = [], False
    for line in text.splitlines():
        plain = re.sub(r"\x1b\[[0-9;]*m", "", line)
        if plain.startswith("Put it on"):
            kept.append("")
            skipping = False
        if not skipping:
            kept.append(line)
        if plain.startswith("$ mains probe"):
            kept.append("…")
            skipping = True
    return "\n".join(kept)


def main() -> None:
    text = re.sub(r"/tmp/mains-demo-\w+/", "", sys.stdin.read())
    console = Console(record=True, width=112, file=io.StringIO())
    console.print(Text.from_ansi(without_probe(text).rstrip()))
    _, file, title = sys.argv
    console.save_svg(file, title=title, code_format=FRAME.replace("TITLE", title))


main()
