"""Opens what `lorapress render --profile …` made as the platforms do.

usage: check OUTPUT

OUTPUT is the folder with `profiles`, `posts`, `site` and `runs`; all six profiles must be there.

1. hugo and jekyll build bare sites from the posts' folders: no warning, every picture and anchor there, and the text, the bold
   words and the alternative texts those of the Markdown post as an independent reader shows it;
2. velog's Markdown, read with every line end a break and no HTML, says the same; upload.txt, text and files name the same
   pictures in the same order;
3. Tistory's body goes through a real TinyMCE 5 and loses nothing; it holds every traced number, stands in a light and a dark
   skin and on a phone;
4. the standalone page, moved elsewhere, asks for nothing, offline, in both themes;
5. huggingface_hub loads each model card; its results are those of the run's records, its code parses.

Prints one line a fault and exits 1 if there is any.
"""
import importlib.util
import sys
import tempfile
import time
from pathlib import Path

for needed in ("huggingface_hub", "markdown_it", "playwright", "tinymce", "yaml"):
    if not importlib.util.find_spec(needed):
        sys.exit(f"{needed}: is missing from the Python tools; run scripts/setup --tests")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "pages"))

import browser  # noqa: E402
import generators  # noqa: E402
import hub  # noqa: E402
import platforms  # noqa: E402
from reference import Reference  # noqa: E402

PROFILES = ("standalone", "tistory", "velog", "hugo", "jekyll", "hub")


def check(output):
    profiles = output / "profiles"
    missing = [name for name in PROFILES if not (profiles / name).is_dir()]
    if missing:
        sys.exit(f"{profiles}: {', '.join(missing)}: not there; make them with `lorapress render --profile NAME`")
    references = {folder.name: Reference(folder / "index.md") for folder in sorted((output / "posts").iterdir())
                  if (folder / "index.md").is_file()}
    faults = []
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch).resolve()
        for name in ("hugo", "jekyll", "page"):
            (scratch / name).mkdir()
        faults += generators.hugo(profiles / "hugo", scratch / "hugo", references)
        faults += generators.jekyll(profiles / "jekyll", scratch / "jekyll", references)
        faults += platforms.velog(profiles / "velog", references)
        faults += hub.cards(profiles / "hub", output)
        with browser.chromium() as chromium:
            faults += platforms.tistory(profiles / "tistory", output, chromium, platforms.editor())
            faults += platforms.standalone(profiles / "standalone", scratch / "page", chromium)
    return faults


def main():
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        print("usage: Tests/profiles/check OUTPUT", file=sys.stderr)
        return 64
    output = Path(sys.argv[1]).resolve()
    start = time.monotonic()
    faults = check(output)
    for fault in faults:
        print(fault)
    print(f"{output / 'profiles'}: {len(faults)} faults ({time.monotonic() - start:.1f} s)")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
