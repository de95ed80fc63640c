"""The letters of charts: which fonts have them, what stands for others, how wide.

DejaVu Sans comes with matplotlib and looks the same everywhere. Letters that it lacks
are drawn with a font of the machine that has them; where none does, their code stands.
"""

from functools import cache

from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font

FIRST = "DejaVu Sans"
OTHERS = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "Noto Sans JP",
    "Source Han Sans SC", "WenQuanYi Zen Hei", "WenQuanYi Micro Hei",
    "Droid Sans Fallback", "PingFang SC", "PingFang HK", "Hiragino Sans",
    "Hiragino Sans GB", "Microsoft YaHei", "SimHei", "Yu Gothic", "Malgun Gothic",
    "Apple SD Gothic Neo", "Noto Sans KR", "NanumGothic", "Noto Sans Devanagari",
    "Noto Sans Thai", "Noto Sans Arabic", "Noto Sans Hebrew", "Nirmala UI",
    "Leelawadee UI", "Arial Unicode MS", "Unifont",
)  # fmt: skip
"""Fonts that many machines have, asked in this order."""


@cache
def families() -> tuple[str, ...]:
    """Return the fonts that charts are drawn with: the first one, and fallbacks."""
    there = {font.name for font in fontManager.ttflist}
    return (FIRST, *(name for name in OTHERS if name in there))


def spelt(text: str) -> str:
    r"""Return text in letters that can be drawn; others as their codes: `\u65e5`."""
    return "".join(letter if _font_of(letter) else _code(letter) for letter in text)


def wrapped(text: str, inches: float, points: float) -> list[str]:
    """Return text in lines of at most that width; a longer word is broken."""
    lines, line = [], ""
    for word in text.split():
        longer = f"{line} {word}" if line else word
        if width(longer, points) <= inches:
            line = longer
            continue
        lines += [line] if line else []
        line = word
        while width(line, points) > inches and len(line) > 1:
            fits = _fitting(line, inches, points)
            lines.append(line[:fits])
            line = line[fits:]
    return [*lines, line] if line else lines


def width(text: str, points: float) -> float:
    """Return how wide text is drawn, in inches, at a size in points."""
    return sum(map(_advance, text)) * points / 72


def _fitting(word: str, inches: float, points: float) -> int:
    """Return how many letters of a word fit, at least one."""
    fits = next(n for n in range(1, len(word) + 1) if width(word[:n], points) > inches)
    return max(fits - 1, 1)


@cache
def _font_of(letter: str) -> str:
    """Return the first font's file that has a letter, or nothing."""
    for name in families():
        path = findfont(FontProperties(family=name))
        if get_font(path).get_char_index(ord(letter)):
            return str(path)
    return ""


@cache
def _advance(letter: str) -> float:
    """Return how wide a letter is, in parts of the size; 1 where no font has it."""
    path = _font_of(letter)
    if not path:
        return 1.0
    font = get_font(path)
    font.set_size(1000, 72)
    return float(font.load_char(ord(letter)).linearHoriAdvance / 65536 / 1000)


def _code(letter: str) -> str:
    code = ord(letter)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
