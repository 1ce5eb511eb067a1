"""review.py PROGRAM PROJECT: judges the answers of the project's run `fixture-run` in Chromium, by keyboard alone, and says what it saw.

Exit code 1 where a verdict is not where it should be. Tests/pages/review makes the project.
"""
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import browser
import check

RUN = "fixture-run"
MARKS = {"1": "natural", "2": "awkward", "3": "wrong"}


class Failed(Exception):
    pass


def expect(what, found, wanted):
    if found != wanted:
        raise Failed(f"{what}: {found!r}, not {wanted!r}")
    print(f"ok: {what}")


class Desk:
    """The project, and what its run's record holds."""

    def __init__(self, program, project):
        self.program, self.project = program, Path(project)
        self.evaluation = self.project / "output/runs" / RUN / "evaluation"
        lines = (self.evaluation / "samples.jsonl").read_text(encoding="utf-8").splitlines()
        self.samples = [json.loads(line) for line in lines]
        self.environment = dict(os.environ, LC_ALL="C.UTF-8")

    def lorapress(self, *arguments):
        return subprocess.run(
            [self.program, *arguments], cwd=self.project, env=self.environment, capture_output=True, text=True)

    def verdicts(self, reviewer):
        """(number, model, verdict, note) as they lie in review.json now, in their order."""
        file = self.evaluation / "review.json"
        reviews = json.loads(file.read_text(encoding="utf-8"))["reviews"] if file.exists() else []
        return [(v["number"], v["answer"], v["verdict"], v.get("note"))
                for review in reviews if review["reviewer"] == reviewer for v in review["verdicts"]]

    def wait(self, reviewer, count):
        """The verdicts once there are so many: the page shows a verdict before it is on disk."""
        end = time.monotonic() + 10
        while len(self.verdicts(reviewer)) != count and time.monotonic() < end:
            time.sleep(0.01)
        return self.verdicts(reviewer)

    def model(self, number, text):
        """Whose answer a shown text is; None where both say the same."""
        sample = self.samples[number - 1]
        found = [model for model in ("base", "tuned") if sample[model]["text"] == text]
        return found[0] if len(found) == 1 else None


class Reader:
    """A page, used by keyboard."""

    def __init__(self, desk, page, faults):
        self.desk, self.page, self.name = desk, page, ""
        page.on("console", lambda m: faults.append(f"console: {m.text}") if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: faults.append(f"page: {error}"))
        self.given = []

    def begin(self, name):
        self.name = name
        self.page.wait_for_selector("#who:not([hidden])")
        # The name's field has the focus and its text is selected.
        self.page.keyboard.type(name)
        self.page.keyboard.press("Enter")
        self.page.wait_for_selector("#desk:not([hidden])")

    def focus(self):
        """Where the keyboard is: question and side."""
        place = self.page.inner_text("#place").split("/")[0].split()[-1]
        return int(place), self.page.evaluate("document.activeElement.id")

    def press(self, *keys):
        for key in keys:
            number, side = self.focus()
            text = self.page.evaluate("id => document.getElementById(id + '-text').textContent", side) if key in MARKS else None
            self.page.keyboard.press(key)
            if key in MARKS:
                self.given.append((number, self.desk.model(number, text), MARKS[key]))

    def until(self, expression):
        """Asks until it is so. (The driver's own way needs eval, which the page's policy forbids.)"""
        end = time.monotonic() + 10
        while not self.page.evaluate(expression):
            if time.monotonic() > end:
                raise Failed(f"never: {expression}")
            time.sleep(0.01)

    def progress(self):
        return self.page.get_attribute("#progress", "value"), self.page.get_attribute("#progress", "max")


def served(desk, chromium, faults):
    server = subprocess.Popen(
        [desk.program, "serve", "--review", "--port", "0"], cwd=desk.project, env=desk.environment,
        stdout=subprocess.PIPE, text=True)
    try:
        site, url = server.stdout.readline().strip(), server.stdout.readline().strip()
        context = chromium.new_context(viewport={"width": 1100, "height": 800})
        asked = []
        context.on("request", lambda request: asked.append(request.url))
        first = Reader(desk, context.new_page(), faults)
        first.page.goto(url)
        judge_by_keyboard(desk, first)
        stay_apart(desk, context, first, url, faults)
        strangers(desk, chromium, first, site)
        looks(chromium, url, faults)
        expect("asked of this server alone", [u for u in asked if not u.startswith((site, "data:"))], [])
        context.close()
    finally:
        server.send_signal(2)
        expect("Ctrl-C ends the server", server.wait(10), 0)


def judge_by_keyboard(desk, first):
    first.begin("읽는 이")
    expect("the first answer has the focus", first.focus(), (1, "A"))
    first.press("1")
    expect("then the second", first.focus(), (1, "B"))
    expect("the verdict is in review.json", [v[:3] for v in desk.wait("읽는 이", 1)], first.given)
    first.press("3")
    expect("then the next question", first.focus(), (2, "A"))
    expect("one question is done", first.progress(), ("1", str(len(desk.samples))))
    # A note is typed, with every key that means something elsewhere, Hangul and a line end.
    first.page.keyboard.press("n")
    expect("n opens the note", first.page.evaluate("document.activeElement.id"), "note")
    first.page.keyboard.type("1 2 3 nu 연도")
    first.page.keyboard.press("Shift+Enter")
    first.page.keyboard.type("둘째 줄")
    first.page.keyboard.press("ArrowLeft")
    expect("typing judges nothing", len(desk.verdicts("읽는 이")), 2)
    first.page.keyboard.press("Enter")
    expect("Enter leaves the note", first.focus(), (2, "A"))
    first.press("2")
    found = desk.wait("읽는 이", 3)
    expect("the note goes with the verdict", found[2][2:], ("awkward", "1 2 3 nu 연도\n둘째 줄"))
    expect("each verdict is on the answer that was shown", [v[:3] for v in found], first.given)
    first.press("u")
    first.until("document.activeElement.id === 'A'")
    expect("u takes the last back", ([v[:3] for v in desk.wait("읽는 이", 2)], first.focus()), (first.given[:2], (2, "A")))
    first.given.pop()
    first.press("1")
    expect("the note is still there", desk.wait("읽는 이", 3)[2][3], "1 2 3 nu 연도\n둘째 줄")
    first.press("ArrowLeft", "ArrowDown")
    expect("arrows move", first.focus(), (1, "B"))
    first.press("ArrowUp", "ArrowRight", "ArrowDown")
    expect("and back", first.focus(), (2, "B"))
    # The same key of a Korean keyboard, which the driver doesn't have.
    first.page.evaluate("document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {key: 'ㅜ', bubbles: true}))")
    expect("and so does its Hangul key", first.page.evaluate("document.activeElement.id"), "note")
    first.press("Escape")
    expect("Escape leaves the note", first.focus(), (2, "B"))
    first.page.reload()
    first.begin("읽는 이")
    expect("after a reload it goes on where it was", (first.focus(), first.progress()), ((2, "B"), ("1", str(len(desk.samples)))))


def stay_apart(desk, context, first, url, faults):
    other = Reader(desk, context.new_page(), faults)
    other.page.goto(url)
    other.begin("reader 2")
    expect("another reviewer begins anew", (other.focus(), other.progress()), ((1, "A"), ("0", str(len(desk.samples)))))
    # Three tabs write in turn, two of them for the same reviewer.
    tab = Reader(desk, context.new_page(), faults)
    tab.page.goto(url)
    tab.begin("읽는 이")
    first.press("2")
    other.press("3")
    desk.wait("읽는 이", 4)
    tab.press("ArrowRight", "1")
    other.press("3")
    desk.wait("읽는 이", 5)
    first.press("2", "1")
    # In the order they were given; the last one on an answer counts.
    last = {v[:2]: v for v in first.given[:4] + tab.given + first.given[4:]}
    expect("no tab loses another's verdicts", sorted(v[:3] for v in desk.wait("읽는 이", len(last))), sorted(last.values()))
    expect("reviewers are kept apart", [v[:3] for v in desk.wait("reader 2", 2)], other.given)
    first.page.bring_to_front()
    while first.progress()[0] != str(len(desk.samples)) and len(first.given) < 50:
        first.press("1")
    expect("all is judged", len(desk.wait("읽는 이", 2 * len(desk.samples))), 2 * len(desk.samples))
    first.until("document.getElementById('status').textContent.startsWith('모두 판정했어요')")
    print("ok: and said")


def strangers(desk, chromium, first, site):
    before = (desk.evaluation / "review.json").read_bytes()
    state = first.page.evaluate("fetch('state/x').then(r => r.json())")
    context = chromium.new_context()
    page = context.new_page()
    page.goto("data:text/html,<p>elsewhere</p>")
    body = json.dumps({"number": 1, "side": "A", "verdict": "wrong", "note": ""})
    address = f"{site}.lorapress/review/{RUN}/verdicts/{state['answers_sha256']}/x"
    for mode in ("no-cors", "cors"):
        page.evaluate("""([url, body, mode]) => fetch(url, {method: 'POST', mode, body, headers: mode === 'cors'
            ? {'Content-Type': 'application/json'} : {}}).catch(() => null)""", [address, body, mode])
    expect("a page from elsewhere can't write", (desk.evaluation / "review.json").read_bytes() == before, True)
    context.close()


def looks(chromium, url, faults):
    """The page as axe and a narrow window see it, in both themes."""
    for theme, width in (("light", 320), ("dark", 1280)):
        context = chromium.new_context(color_scheme=theme, viewport={"width": width, "height": 900})
        page = context.new_page()
        page.goto(url)
        faults += [f"{theme}, {width} px, start: {fault}" for fault in violations(page)]
        page.keyboard.press("Enter")
        page.wait_for_selector("#desk:not([hidden])")
        faults += [f"{theme}, {width} px: {fault}" for fault in violations(page)]
        wide = page.evaluate("document.scrollingElement.scrollWidth")
        if wide > width:
            faults.append(f"{theme}: is {wide} px wide at {width} px")
        if os.environ.get("LORAPRESS_LOOK"):
            page.screenshot(path=f"{os.environ['LORAPRESS_LOOK']}/review-{theme}-{width}.png", full_page=True)
        context.close()


def violations(page):
    return [f"axe: {v['id']}: {v['help']}: {v['nodes'][0]['target']}" for v in check.Axe().run(page).response["violations"]]


def from_disk(desk, chromium, faults):
    folder = desk.project / "page"
    folder.mkdir()
    file = folder / "review.html"
    made = desk.lorapress("review", "page", RUN, "--out", str(file))
    expect("review page", (made.returncode, made.stdout.strip()), (0, str(file)))
    faults += check.tidy(folder, [file]) + check.nu(folder, [file])
    context = chromium.new_context(accept_downloads=True, viewport={"width": 390, "height": 844}, has_touch=True)
    context.on("request", lambda request: None if request.url.startswith(("file:", "data:", "blob:"))
               else faults.append(f"{request.url}: was asked by the page from disk"))
    reader = Reader(desk, context.new_page(), faults)
    reader.page.goto(file.as_uri())
    reader.begin("밖에서 읽는 이")
    reader.press("1", "2", "3")
    reader.press("u")
    reader.given.pop()
    reader.press("1", "2", "1")
    reader.page.reload()
    reader.begin("밖에서 읽는 이")
    expect("from disk it goes on after a reload too", (reader.focus(), reader.progress()[0]), ((3, "B"), "2"))
    with reader.page.expect_download() as download:
        reader.page.focus("#export")
        reader.page.keyboard.press("Enter")
    export = desk.project / "export.json"
    download.value.save_as(export)
    expect("export", download.value.suggested_filename, f"review-{RUN}-밖에서 읽는 이.json")
    expect("the export tells no model", [w for w in ("base", "tuned") if f'"{w}"' in export.read_text(encoding="utf-8")], [])
    ran = desk.lorapress("review", "import", RUN, str(export))
    expect("review import", (ran.returncode, "5 taken of 5" in ran.stderr), (0, True))
    expect("sides become the models that were shown", [v[:3] for v in desk.verdicts("밖에서 읽는 이")], reader.given)
    before = (desk.evaluation / "review.json").read_bytes()
    ran = desk.lorapress("review", "import", RUN, str(export))
    expect("importing again changes nothing", (ran.returncode, (desk.evaluation / "review.json").read_bytes() == before), (0, True))
    context.close()


def rendered(desk, chromium):
    ran = desk.lorapress("verify")
    expect("verify names the review that the site doesn't show", (ran.returncode, "evaluation/review.json" in ran.stdout), (1, True))
    expect("render", desk.lorapress("render", "--no-cards").returncode, 0)
    ran = desk.lorapress("verify", "--strict")
    expect("verify", (ran.returncode, ran.stderr if ran.returncode else ""), (0, ""))
    page = chromium.new_page()
    page.goto((desk.project / "output/site/posts/note/index.html").as_uri())
    text = page.inner_text("main")
    reviewers = ["읽는 이", "reader 2", "밖에서 읽는 이"]
    all_verdicts = [v for name in reviewers for v in desk.verdicts(name)]
    expect("the post counts them", f"{len(reviewers)}명이 시험 질문 {len(desk.samples)}개 가운데" in text
           and f"모두 {len(all_verdicts)}번 판정했다" in text, True)
    rows = page.evaluate("[...document.querySelectorAll('figure.table tbody tr')].map(r => [...r.cells].map(c => c.innerText.trim()))")
    for row, model in zip(rows, ("base", "tuned")):
        counts = [str(sum(v[1:3] == (model, mark) for v in all_verdicts)) for mark in MARKS.values()]
        total = str(sum(v[1] == model for v in all_verdicts))
        expect(f"and shows {model}'s", row[1:], counts + [total])
    expect("limits follow", "사람이 읽었다." in text, True)
    expect("names and notes stay out", [word for word in reviewers + ["둘째 줄"] if word in text], [])


def main(program, project):
    desk, faults = Desk(program, project), []
    try:
        expect("render", desk.lorapress("render", "--no-cards").returncode, 0)
        text = (desk.project / "output/posts/note/index.md").read_text(encoding="utf-8")
        expect("nobody has judged", "판정한 사람은 없다" in text and "사람이 읽지 않았다." in text, True)
        with browser.chromium() as chromium:
            served(desk, chromium, faults)
            from_disk(desk, chromium, faults)
            rendered(desk, chromium)
    except Failed as error:
        faults.append(str(error))
    for fault in faults:
        print(f"failed: {fault}")
    return 1 if faults else 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
