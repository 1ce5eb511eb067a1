"""reload.py PROGRAM PROJECT [POST]: opens a post of `lorapress serve --watch` in Chromium, edits it and its run's log, and tells what
the page did and how long it took. The project is written to: give a copy, with a run and the post about it.

Run by hand with .venv/bin/python Tests/pages/reload.py. Exit code 1 where the page did not follow.
"""
import pathlib
import re
import subprocess
import sys
import time

from playwright.sync_api import Error

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from browser import chromium  # noqa: E402


def wait(what, ready, seconds=20):
    start = time.perf_counter()
    def is_ready():
        try:
            return ready()
        except Error as error:
            # Asked while the page was loading.
            if "context was destroyed" in str(error) or "navigat" in str(error):
                return False
            raise

    while not is_ready():
        if time.perf_counter() - start > seconds:
            sys.exit(f"failed: {what}")
        time.sleep(0.005)
    took = time.perf_counter() - start
    print(f"{what}: {took * 1000:.0f} ms")
    return took


def main(program, project, post="korean-textbooks"):
    project = pathlib.Path(project)
    server = subprocess.Popen([program, "serve", "--watch", "--port", "0"], cwd=project, stdout=subprocess.PIPE, text=True)
    try:
        url = server.stdout.readline().strip()
        file = project / "content/posts" / f"{post}.md"
        run = re.search(r"^run: (\S+)", file.read_text(), re.M).group(1)
        log = project / "output/runs" / run / "log/metrics.jsonl"
        text, lines = file.read_text(), log.read_bytes()
        with chromium() as browser:
            page = browser.new_page(viewport={"width": 1100, "height": 800})
            wait("first build and page", lambda: page.goto(f"{url}posts/{post}/").status == 200, 60)
            page.evaluate("scrollTo(0, 1500)")
            shown = lambda words: lambda: words in page.evaluate("document.body.innerText")
            took = []
            for number in range(5):
                words = f"고친 문장 {number}번"
                file.write_text(text + f"\n\n{words}\n")
                took.append(wait("edit of a post, until the new text is on the page", shown(words)))
            place = page.evaluate("scrollY")
            print(f"scrolled to {place}, where it was" if place == 1500 else f"failed: scrolled to {place}, not to 1500")
            picture = lambda: page.evaluate(
                "fetch(document.querySelector('img[src^=loss]').src).then(r => r.arrayBuffer())"
                ".then(b => crypto.subtle.digest('SHA-256', b)).then(h => Array.from(new Uint8Array(h)).join())")
            before = picture()
            with log.open("ab") as out:
                out.write(b'{"epoch": 9, "loss": 0.5, "split": "train", "step": 99999, "time": 1}\n{"epoch": 9, "lo')
            wait("a line added to the log, until the picture is another", lambda: picture() != before)
            log.write_bytes(lines)
            file.write_text(text + "\n\n{{ valu(1) }} <script>alert(1)</script>\n")
            wait("a fault in the post, until it is shown", lambda: page.locator("#lorapress-fault").count() == 1)
            print(page.locator("#lorapress-fault").inner_text())
            page.screenshot(path="/tmp/lorapress-fault.png")
            file.write_text(text)
            wait("mended, until the fault is gone", lambda: page.locator("#lorapress-fault").count() == 0)
        start = time.perf_counter()
        server.send_signal(2)
        code = server.wait(10)
        print(f"Ctrl-C: ended with {code} after {(time.perf_counter() - start) * 1000:.0f} ms")
        return 0 if place == 1500 and code == 0 else 1
    finally:
        server.kill()


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
