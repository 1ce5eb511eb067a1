"""Breaks what check has passed in ways a platform would show, and fails if check's parts do not see it.

usage: selftest OUTPUT
"""
import re
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "pages"))

import browser  # noqa: E402
import generators  # noqa: E402
import hub  # noqa: E402
import platforms  # noqa: E402
from reference import Reference  # noqa: E402

MARKDOWN = {"hugo": "hard/content/posts/hard/index.md", "jekyll": "hard/_posts/2026-02-03-hard.md", "velog": "hard/index.md"}


def edit(pattern, new):
    def change(file):
        old = file.read_text(encoding="utf-8")
        text = re.sub(pattern, new, old, count=1, flags=re.S)
        assert text != old, f"{file}: {pattern} is not there"
        file.write_text(text, encoding="utf-8")
    return change


def remove(file):
    file.unlink()


# First each post as it is, alone: a fault there would hide that the others are seen.
SOUND = [(f"{name}: nothing", name, path, lambda file: None) for name, path in (
    *MARKDOWN.items(), ("tistory", "hard/body.html"), ("standalone", "hard/hard.html"), ("hub", "fixture-run/README.md"))]
CASES = [
    ("hugo: a particle as itself", "hugo", MARKDOWN["hugo"], edit(r"&#47484;", "를")),
    ("hugo: raw HTML", "hugo", MARKDOWN["hugo"], edit(r"\n\n## ", "\n\n<b>x</b>\n\n## ")),
    ("hugo: a live shortcode", "hugo", MARKDOWN["hugo"], edit(r"\{\{</\*", "{{<")),
    ("hugo: smart quotes", "hugo", MARKDOWN["hugo"], edit(r'\\"곧은', '"곧은')),
    ("hugo: no picture", "hugo", "hard/content/posts/hard/dot.png", remove),
    ("hugo: a draft", "hugo", MARKDOWN["hugo"], edit("draft: false", "draft: true")),
    ("jekyll: live Liquid", "jekyll", MARKDOWN["jekyll"], edit(r'\{\{ "\{%" \}\}', "{%")),
    ("jekyll: a bare bar", "jekyll", MARKDOWN["jekyll"], edit(r"a \\\| b \\\| c", "a | b | c")),
    ("jekyll: another date", "jekyll", MARKDOWN["jekyll"], edit("date: 2026-02-03", "date: 2026-02-04")),
    ("jekyll: no picture", "jekyll", "hard/assets/hard/loss.png", remove),
    ("jekyll: lists that run on", "jekyll", MARKDOWN["jekyll"], edit(r"\n\^\n", "\n")),
    ("velog: another digit", "velog", MARKDOWN["velog"], edit(r"3\.516", "3.517")),
    ("velog: a line end more", "velog", MARKDOWN["velog"], edit(r"이 줄은", "\n이 줄은")),
    ("velog: pictures in another order", "velog", "hard/upload.txt", edit("01-dot.png →", "02-dot.png →")),
    ("tistory: <data>", "tistory", "hard/body.html", edit(r"<span data-value=", "<data value=")),
    ("tistory: a class", "tistory", "hard/body.html", edit(r"<p style=", '<p class="x" style=')),
    ("tistory: a number untied", "tistory", "hard/body.html", edit(r' data-value="[^"]*"', "")),
    ("tistory: a picture missing", "tistory", "hard/02-loss.png", remove),
    ("tistory: a picture elsewhere", "tistory", "hard/body-data-uri.html", edit(r'src="data:[^"]*"', 'src="https://example.org/x.png"')),
    ("standalone: a picture elsewhere", "standalone", "hard/hard.html", edit(r'src="data:[^"]*"', 'src="https://example.org/x.png"')),
    ("standalone: styles beside it", "standalone", "hard/hard.html", edit(r"<style>", '<link rel="stylesheet" href="style.css"><style>')),
    ("standalone: a broken picture", "standalone", "hard/hard.html", edit(r'src="data:image/png;base64,', 'src="data:image/png;base64,AAAA')),
    ("hub: another result", "hub", "fixture-run/README.md", edit(r"value: (\d+)\.", r"value: 9\1.")),
    ("hub: another library", "hub", "fixture-run/README.md", edit(r'library_name: "peft"', 'library_name: "timm"')),
    ("hub: a licence that is none", "hub", "fixture-run/README.md", edit('license: "apache-2.0"', 'license: "Apache 2.0"')),
    ("hub: no picture", "hub", "fixture-run/loss.png", remove),
]


def look(profile, folder, scratch, output, references, chromium):
    match profile:
        case "hugo": return generators.hugo(folder, scratch, references)
        case "jekyll": return generators.jekyll(folder, scratch, references)
        case "velog": return platforms.velog(folder, references)
        case "tistory": return platforms.tistory(folder, output, chromium, platforms.editor())
        case "standalone": return platforms.standalone(folder, scratch, chromium)
        case _: return hub.cards(folder, output)


def main():
    if len(sys.argv) != 2:
        print("usage: Tests/profiles/selftest OUTPUT", file=sys.stderr)
        return 64
    output = Path(sys.argv[1]).resolve()
    references = {folder.name: Reference(folder / "index.md") for folder in (output / "posts").iterdir()}
    unseen = []
    with browser.chromium() as chromium:
        for name, profile, path, change in SOUND + CASES:
            with tempfile.TemporaryDirectory() as scratch:
                scratch = Path(scratch).resolve()
                folder = scratch / "profile"
                # The broken post alone: the rest has passed.
                shutil.copytree(output / "profiles" / profile / path.split("/")[0], folder / path.split("/")[0])
                change(folder / path)
                (scratch / "site").mkdir()
                faults = look(profile, folder, scratch / "site", output, references, chromium)
                if bool(faults) == name.endswith(": nothing"):
                    unseen.append(name)
                    print(f"{name}: {faults[0] if faults else 'is not seen'}")
    print(f"{len(CASES)} faults made, {len(CASES) - len(unseen)} seen")
    return 1 if unseen else 0


if __name__ == "__main__":
    sys.exit(main())
