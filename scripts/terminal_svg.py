"""A terminal's screen, as `tmux capture-pane -p -e` writes it, as an SVG.

Blocks, lines and braille are drawn as shapes, and every run of text is held to its columns, so that it stands on the grid
whatever font the reader has.
"""

import itertools
import re
import unicodedata
from dataclasses import dataclass, replace
from xml.sax.saxutils import escape

CELL_WIDTH, CELL_HEIGHT, FONT_SIZE, MARGIN = 8.4, 18, 14, 12
FOREGROUND, BACKGROUND = "#d7dae0", "#16181d"
NAMED = [
    *("#3b4048", "#f07178", "#8fce7e", "#e8c06a", "#6cb2f2", "#c792ea", "#5fcfcf", "#d7dae0"),
    *("#7b8494", "#ff8b92", "#a9e28f", "#ffd580", "#8cc8ff", "#dfa9ff", "#83e4e4", "#ffffff"),
]
FONTS = "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, 'Noto Sans Mono CJK SC', monospace"
SGR = re.compile(r"\x1b\[([0-9;:]*)m")
OTHER_SEQUENCES = re.compile(r"\x1b(?:\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][A-Z0-9]|\[[0-9;?]*[A-Za-ln-z])|[\x0e\x0f]")


@dataclass(frozen=True)
class Style:
    fore: str | None = None
    back: str | None = None
    bold: bool = False
    dim: bool = False
    underlined: bool = False
    reversed: bool = False

    def colours(self):
        fore, back = self.fore or FOREGROUND, self.back
        return (back or BACKGROUND, fore) if self.reversed else (fore, back)


def colour_256(number):
    if number < 16:
        return NAMED[number]
    if number >= 232:
        return "#" + f"{8 + 10 * (number - 232):02x}" * 3
    number -= 16
    levels = (0, 95, 135, 175, 215, 255)
    return "#" + "".join(f"{levels[part]:02x}" for part in (number // 36, number // 6 % 6, number % 6))


def restyled(style, codes):
    codes = [int(code or 0) for code in re.split("[;:]", codes)]
    while codes:
        code = codes.pop(0)
        if code == 0:
            style = Style()
        elif code in (1, 2, 4, 7):
            style = replace(style, **{{1: "bold", 2: "dim", 4: "underlined", 7: "reversed"}[code]: True})
        elif code == 22:
            style = replace(style, bold=False, dim=False)
        elif code in (24, 27):
            style = replace(style, **{{24: "underlined", 27: "reversed"}[code]: False})
        elif code in (38, 48):
            kind = codes.pop(0)
            if kind == 5:
                colour = colour_256(codes.pop(0))
            else:
                colour, codes = "#" + "".join(f"{part:02x}" for part in codes[:3]), codes[3:]
            style = replace(style, **{"fore" if code == 38 else "back": colour})
        elif code in (39, 49):
            style = replace(style, **{"fore" if code == 39 else "back": None})
        else:
            for first, field, base in ((30, "fore", 0), (40, "back", 0), (90, "fore", 8), (100, "back", 8)):
                if first <= code < first + 8:
                    style = replace(style, **{field: NAMED[base + code - first]})
    return style


def width(character):
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def cells(line, style):
    """(column, character, width, style) of each, and the style that the next line begins with."""
    found, column = [], 0
    for at, part in enumerate(SGR.split(OTHER_SEQUENCES.sub("", line))):
        if at % 2:
            style = restyled(style, part)
            continue
        for character in part:
            size = width(character)
            if size == 0 and found:
                found[-1] = (*found[-1][:1], found[-1][1] + character, *found[-1][2:])
                continue
            found.append((column, character, size, style))
            column += size
    return found, style


def number(value):
    return f"{value:.2f}".rstrip("0").rstrip(".")


def rectangle(x, y, wide, high, colour):
    return (
        f'<rect x="{number(x)}" y="{number(y)}" width="{number(wide)}" height="{number(high)}" fill="{colour}"/>'
    )


#: Of a line's corner or crossing: the arms it has.
ARMS = {"─": "lr", "│": "ud", "┌": "rd", "┐": "ld", "└": "ru", "┘": "lu", "├": "udr", "┤": "udl"}
ARMS |= {"┬": "lrd", "┴": "lru", "┼": "lrud"}
#: A braille letter's dots by their bits: column and row.
DOTS = ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3))


def shape(character, x, y, colour):
    """What is drawn and not written; None for a letter."""
    wide, high, code = CELL_WIDTH, CELL_HEIGHT, ord(character[0])
    if 0x2581 <= code <= 0x2588:
        part = high * (code - 0x2580) / 8
        return rectangle(x, y + high - part, wide, part, colour)
    if character == "▀":
        return rectangle(x, y, wide, high / 2, colour)
    if character in ARMS:
        ends = {"l": (0, high / 2), "r": (wide, high / 2), "u": (wide / 2, 0), "d": (wide / 2, high)}
        path = "".join(
            f"M{number(x + wide / 2)} {number(y + high / 2)}L{number(x + ends[arm][0])} {number(y + ends[arm][1])}"
            for arm in ARMS[character]
        )
        return f'<path d="{path}" stroke="{colour}"/>'
    if 0x2800 <= code <= 0x28FF:
        dots = [dot for bit, dot in enumerate(DOTS) if code - 0x2800 >> bit & 1]
        return "".join(
            rectangle(x + wide * (0.25 + 0.5 * column) - 1, y + high * (0.125 + 0.25 * row) - 1, 2, 2, colour)
            for column, row in dots
        )
    return None


def letters(text, column, columns, y, style):
    colour = style.colours()[0]
    kind = ' font-weight="bold"' if style.bold else ""
    kind += ' opacity="0.6"' if style.dim else ""
    kind += ' text-decoration="underline"' if style.underlined else ""
    return (
        f'<text x="{number(MARGIN + column * CELL_WIDTH)}" y="{number(y + 13.5)}" fill="{colour}"{kind} '
        f'textLength="{number(columns * CELL_WIDTH)}" lengthAdjust="spacingAndGlyphs">{escape(text)}</text>'
    )


def drawn_row(found, y):
    """Backgrounds, and what stands on them."""
    behind, front = [], []
    for style, group in itertools.groupby(found, key=lambda cell: cell[3]):
        group = list(group)
        first, (colour, back) = group[0][0], style.colours()
        if back:
            columns = sum(size for _, _, size, _ in group)
            behind.append(rectangle(MARGIN + first * CELL_WIDTH, y, columns * CELL_WIDTH + 0.3, CELL_HEIGHT + 0.3, back))
        text = ""
        for column, character, size, _ in group:
            drawn = shape(character, MARGIN + column * CELL_WIDTH, y, colour)
            if drawn:
                front.append(drawn)
            elif size == 2 or len(character) > 1:
                front.append(letters(character, column, size, y, style))
            else:
                text += character
                continue
            text += " " * size
        # Words with one space between them belong together; at every larger gap the grid is found again.
        for words in re.finditer(r"[^ ]+(?: [^ ]+)*", text):
            front.append(letters(words[0], first + words.start(), len(words[0]), y, style))
    return behind, front


def svg(screen, columns, rows, title):
    back, front, style = [], [], Style()
    for row, line in enumerate(screen.split("\n")[:rows]):
        found, style = cells(line, style)
        behind, before = drawn_row(found, MARGIN + row * CELL_HEIGHT)
        back += behind
        front += before
    wide, high = columns * CELL_WIDTH + 2 * MARGIN, rows * CELL_HEIGHT + 2 * MARGIN
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {number(wide)} {number(high)}" width="{number(wide)}" '
        f'height="{number(high)}" role="img">\n<title>{escape(title)}</title>\n'
        f'<rect width="100%" height="100%" rx="8" fill="{BACKGROUND}"/>\n'
        f'<g font-family="{FONTS}" font-size="{FONT_SIZE}">\n'
    )
    return head + "\n".join(back + front) + "\n</g>\n</svg>\n"
