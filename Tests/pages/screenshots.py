"""Pictures of every page of a site, to be looked at.

usage: screenshots SITE OUT

OUT/PAGE.phone.light.png … PAGE.desktop.dark.png (390 and 1280 px wide, the whole page), PAGE.print.1.png … (the printed
pages). A picture taller than 2400 px comes in parts as well: PAGE.phone.light.part1.png …
"""
import subprocess
import sys
from pathlib import Path

from PIL import Image

import browser

SIZES = {"phone": (390, 844), "desktop": (1280, 900)}
PART = 2400


def parts(file):
    with Image.open(file) as picture:
        if picture.height <= PART:
            return
        for number, top in enumerate(range(0, picture.height, PART), 1):
            picture.crop((0, top, picture.width, min(top + PART, picture.height))).save(file.with_suffix(f".part{number}.png"))


def shoot(site, out, path, chromium):
    name = "-".join(path.relative_to(site).with_suffix("").parts)
    for device, (width, height) in SIZES.items():
        for theme in ("light", "dark"):
            page = chromium.new_page(viewport={"width": width, "height": height}, color_scheme=theme)
            page.goto(path.as_uri(), wait_until="load")
            file = out / f"{name}.{device}.{theme}.png"
            page.screenshot(path=str(file), full_page=True)
            parts(file)
            page.close()
    page = chromium.new_page(color_scheme="dark")
    page.goto(path.as_uri(), wait_until="load")
    printed = out / f"{name}.pdf"
    page.pdf(path=str(printed), prefer_css_page_size=True, format="A4")
    page.close()
    subprocess.run(["pdftoppm", "-png", "-r", "80", str(printed), str(out / f"{name}.print")], check=True)


def main():
    if len(sys.argv) != 3:
        print("usage: Tests/pages/screenshots SITE OUT", file=sys.stderr)
        return 64
    site, out = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    out.mkdir(parents=True, exist_ok=True)
    with browser.chromium() as chromium:
        for path in browser.pages(site):
            shoot(site, out, path, chromium)
    print(out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
