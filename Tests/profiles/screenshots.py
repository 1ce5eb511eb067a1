"""Pictures of what the profiles become on their platforms, to be looked at.

usage: screenshots OUTPUT OUT

OUT/PROFILE.SLUG.DEVICE.THEME.png in parts of 2400 px: standalone as it is (and printed), Tistory's two bodies in a bare blog
skin, velog's and the Hub's Markdown as GitHub's flavour, Hugo's and Jekyll's pages as they build them.
"""
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "pages"))

import browser  # noqa: E402
import generators  # noqa: E402
import platforms  # noqa: E402
from markdown_it import MarkdownIt  # noqa: E402
from PIL import Image  # noqa: E402

SIZES = {"phone": (390, 844), "desktop": (1100, 900)}
PART = 2400
PROSE = """<!doctype html><html lang="ko"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><base href="%s">
<style>body{margin:0 auto;max-width:768px;padding:16px;font:16px/1.7 "Noto Sans CJK KR",sans-serif;color:#212529;background:#fff}
img{max-width:100%%}table{border-collapse:collapse;display:block;overflow-x:auto}td,th{border:1px solid #ddd;padding:4px 8px}
pre{overflow-x:auto;background:#f6f8fa;padding:12px}blockquote{border-left:4px solid #20c997;margin:0;padding:1px 16px;background:#f8f9fa}
</style><title>t</title><body>%s"""


def pages(output, scratch):
    """(name, file to open, themes) of every page to be shown."""
    profiles = output / "profiles"
    for folder in sorted((profiles / "standalone").iterdir()):
        yield f"standalone.{folder.name}", folder / f"{folder.name}.html", ("light", "dark")
    for folder in sorted((profiles / "tistory").iterdir()):
        for variant in ("body", "body-data-uri"):
            body = (folder / f"{variant}.html").read_text(encoding="utf-8")
            for theme, colours in (("light", ("#222", "#fff")), ("dark", ("#ddd", "#181818"))):
                file = scratch / f"tistory-{folder.name}-{variant}-{theme}.html"
                file.write_text(platforms.SKIN % (*colours, body), encoding="utf-8")
                yield f"tistory.{folder.name}.{variant}-{theme}", file, ("light",)
    markdown = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable(["table", "strikethrough"])
    for profile, name in (("velog", "index.md"), ("hub", "README.md")):
        for folder in sorted((profiles / profile).iterdir()):
            source = (folder / name).read_text(encoding="utf-8")
            if profile == "hub":
                source = source.split("---\n", 2)[2]
                markdown = MarkdownIt("commonmark", {"html": True}).enable("table")
            file = scratch / f"{profile}-{folder.name}.html"
            file.write_text(PROSE % (folder.as_uri() + "/", markdown.render(source)), encoding="utf-8")
            yield f"{profile}.{folder.name}", file, ("light",)
    for profile, files, built in (("hugo", generators.HUGO, "public"), ("jekyll", generators.JEKYLL, "_site")):
        site = scratch / profile
        site.mkdir()
        generators.site(profiles / profile, site, files)
        command = ["hugo", "--buildFuture"] if profile == "hugo" else ["jekyll", "build", "--disable-disk-cache"]
        generators.run(command, site)
        for page in sorted((site / built).rglob("index.html")):
            html = page.read_text(encoding="utf-8").replace('"/blog/', f'"{(site / built).as_uri()}/')
            page.write_text(PROSE % (page.parent.as_uri() + "/", html), encoding="utf-8")
            yield f"{profile}.{page.parent.name}", page, ("light",)


def parts(file):
    with Image.open(file) as picture:
        if picture.height > PART:
            for number, top in enumerate(range(0, picture.height, PART), 1):
                picture.crop((0, top, picture.width, min(top + PART, picture.height))).save(file.with_suffix(f".part{number}.png"))


def main():
    if len(sys.argv) != 3:
        print("usage: Tests/profiles/screenshots OUTPUT OUT", file=sys.stderr)
        return 64
    output, out = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, browser.chromium() as chromium:
        for name, file, themes in pages(output, Path(scratch).resolve()):
            for device, (width, height) in SIZES.items():
                for theme in themes:
                    page = chromium.new_page(viewport={"width": width, "height": height}, color_scheme=theme)
                    page.goto(file.as_uri(), wait_until="load")
                    picture = out / f"{name}.{device}.{theme}.png"
                    page.screenshot(path=str(picture), full_page=True)
                    parts(picture)
                    page.close()
            if name.startswith("standalone"):
                page = chromium.new_page(color_scheme="dark")
                page.goto(file.as_uri(), wait_until="load")
                page.pdf(path=str(out / f"{name}.pdf"), prefer_css_page_size=True, format="A4")
                page.close()
                subprocess.run(["pdftoppm", "-png", "-r", "60", "-l", "4", str(out / f"{name}.pdf"), str(out / f"{name}.print")], check=True)
    print(out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
