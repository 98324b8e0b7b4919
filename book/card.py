"""The picture that a link to the book shows elsewhere: our own restored crop, and the title.

    python book/card.py

Writes book/_static/card.jpg, 1200 x 630, from book/before_after.jpg and the title in _config.yml.
"""

import re
from pathlib import Path

from matplotlib import get_data_path
from PIL import Image, ImageDraw, ImageFont

BOOK = Path(__file__).resolve().parent
SIZE, GROUND = (1200, 630), (18, 53, 91)


def crop(half):
    """One half of the pair, cut to the half of a square in the middle of the card's right side."""
    pair = Image.open(BOOK / "before_after.jpg").convert("RGB")
    width = pair.width // 2
    picture = pair.crop((half * width, 0, (half + 1) * width, pair.height))
    side = SIZE[1]
    scale = side / picture.height
    picture = picture.resize((round(picture.width * scale), side), Image.Resampling.LANCZOS)
    middle = picture.width // 2
    left = middle - side // 2
    return picture.crop((left, 0, left + side, side))


def main():
    """Draws and saves the card."""
    title = re.search(r"^title: (.+)$", (BOOK.parent / "_config.yml").read_text(), re.MULTILINE)[1]
    card = Image.new("RGB", SIZE, GROUND)
    photo, restored = crop(0), crop(1)
    side = SIZE[1]
    restored.paste(photo.crop((0, 0, side // 2, side)), (0, 0))
    card.paste(restored, (SIZE[0] - side, 0))
    draw = ImageDraw.Draw(card)
    line = SIZE[0] - side // 2
    draw.rectangle((line - 2, 0, line + 2, side), fill="white")
    draw.ellipse((line - 16, side // 2 - 16, line + 16, side // 2 + 16), fill="white")
    fonts = Path(get_data_path()) / "fonts" / "ttf"
    large = ImageFont.truetype(fonts / "DejaVuSans-Bold.ttf", 54)
    small = ImageFont.truetype(fonts / "DejaVuSans.ttf", 27)
    words, lines = title.split(), [""]
    for word in words:
        longer = f"{lines[-1]} {word}".strip()
        if draw.textlength(longer, large) > SIZE[0] - side - 100:
            lines.append(word)
        else:
            lines[-1] = longer
    draw.multiline_text((50, 110), "\n".join(lines), "white", large, spacing=16)
    draw.text(
        (50, 500), "A book that derives, codes and\nmeasures it, on a processor", "white", small
    )
    card.save(BOOK / "_static" / "card.jpg", quality=85, optimize=True, progressive=True)


if __name__ == "__main__":
    main()
