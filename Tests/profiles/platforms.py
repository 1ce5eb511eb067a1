"""velog, Tistory and the standalone page: read as the platforms do, opened in a browser."""
import re
import sys
from pathlib import Path
from urllib.parse import unquote

from markdown_it import MarkdownIt

import text

# What TinyMCE 5 keeps without knowing the blog's styles; read from the editor itself in `editor`.
TISTORY_TAGS = {"div", "h2", "h3", "h4", "p", "ul", "ol", "li", "blockquote", "table", "thead", "tbody", "tr", "th", "td",
                "pre", "code", "span", "strong", "em", "a", "br", "hr", "sup", "img"}
TISTORY_ATTRIBUTES = {"id", "href", "title", "style", "src", "alt", "scope", "start", "colspan", "rowspan"}
SKIN = """<!doctype html><html lang="ko"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<style>body{margin:0 auto;max-width:700px;padding:0 16px;font:16px/1.6 "Noto Sans CJK KR",sans-serif;color:%s;background:%s}
table{border:1px solid #999}td,th{border:1px solid #999}blockquote{text-align:center}p{margin:0}a{color:#3b82f6}img{max-width:100%%}</style>
<title>t</title><body>%s"""


def velog(profile, references):
    faults = []
    for folder in sorted(profile.iterdir()):
        name, reference = f"velog: {folder.name}", references[folder.name]
        source = (folder / "index.md").read_text(encoding="utf-8")
        # As velog's reader: GitHub's tables and strike-through, every line end a break; HTML shows itself here.
        page = text.Page(MarkdownIt("commonmark", {"html": False, "breaks": True}).enable(["table", "strikethrough"]).render(source))
        faults += reference.compare(name, page)
        if any(tag in ("s", "del") for tag, _ in page.tags):
            faults.append(f"{name}: text is struck through")
        for address, _ in page.images:
            if not (folder / address).is_file() or not re.match(r"\d\d-", address):
                faults.append(f"{name}: the picture {address} is not beside the post under a numbered name")
        faults += uploads(name, folder, [address for address, _ in page.images])
    return faults


def uploads(name, folder, images):
    """The list names the numbered pictures in the order of the text, and no other."""
    order = list(dict.fromkeys(images))
    listed = re.findall(r"^(\d\d-\S+) → ", (folder / "upload.txt").read_text(encoding="utf-8"), re.M)
    files = sorted(file.name for file in folder.glob("*.png"))
    if not order == listed == files:
        return [f"{name}: text, upload.txt and files differ: {order}, {listed}, {files}"]
    return []


def tistory(profile, output, chromium, editor):
    faults = []
    for folder in sorted(profile.iterdir()):
        name = f"tistory: {folder.name}"
        body = (folder / "body.html").read_text(encoding="utf-8")
        whole = (folder / "body-data-uri.html").read_text(encoding="utf-8")
        for variant in (body, whole):
            page = text.Page(variant)
            faults += [f"{name}: <{tag}> is not kept by the editor" for tag, _ in page.tags if tag not in TISTORY_TAGS]
            faults += [f"{name}: {attribute} of <{tag}> is not kept by the editor" for tag, values in page.tags for attribute in values
                       if attribute not in TISTORY_ATTRIBUTES and not attribute.startswith("data-")]
        page = text.Page(body)
        order = re.findall(r"\[(?:이미지|Picture) \d+/\d+\] (\S+?)(?=<|\s|$)", body)
        faults += uploads(name, folder, order)
        site = (output / "site/posts" / folder.name / "index.html").read_text(encoding="utf-8")
        main = text.Page(site[site.index("<main"):site.index("</main>")])
        traced = [values.get("value") for tag, values in main.tags if tag == "data"]
        kept = [values["data-value"] for tag, values in page.tags if "data-value" in values]
        if traced != kept:
            faults.append(f"{name}: {len(kept)} of {len(traced)} traced numbers are kept")
        if any("title" not in values for _, values in page.tags if "data-value" in values):
            faults.append(f"{name}: a traced number has no title")
        faults += edited(name, whole, chromium, editor)
        faults += skins(name, whole, chromium)
    return faults


def edited(name, body, chromium, editor):
    """The body once through a real TinyMCE 5 in its HTML mode: nothing may be lost but what the editor writes otherwise."""
    page = chromium.new_page()
    # Opened as a file beside the editor's: about:blank has no storage, which the editor asks for.
    page.goto((editor.parent / "license.txt").as_uri())
    page.set_content(f'<!doctype html><script src="{editor.as_uri()}"></script><textarea id=e></textarea>', wait_until="load")
    saved = page.evaluate("""async body => {
        const [editor] = await tinymce.init({selector: '#e', menubar: false, toolbar: false, plugins: '', theme: false, skin: false,
            content_css: false, convert_urls: false, entity_encoding: 'raw'});
        editor.setContent(body); return editor.getContent(); }""", body)
    page.close()
    before, after = text.Page(body), text.Page(saved)
    faults = []
    fault = text.first_difference(before.texts, after.texts)
    if fault:
        faults.append(f"{name}: after the editor {fault}")
    for attribute in ("title", "data-value", "data-source", "src", "alt", "id", "data-ke-size"):
        a = [v[attribute] for _, v in before.tags if attribute in v]
        b = [v[attribute] for _, v in after.tags if attribute in v]
        if a != b:
            faults.append(f"{name}: after the editor {len(b)} of {len(a)} {attribute} are there")
    def styles(page):
        return [(tag, re.sub(r"[\s;]", "", v["style"]).lower()) for tag, v in page.tags if "style" in v]
    lost = len(styles(before)) - len(styles(after))
    if lost:
        faults.append(f"{name}: after the editor {lost} styles are gone")
    return faults


def skins(name, body, chromium):
    """In a light and a dark blog skin with styles of its own, on a phone."""
    faults = []
    for colour, ground in (("#222", "#fff"), ("#ddd", "#181818")):
        page = chromium.new_page(viewport={"width": 360, "height": 800}, java_script_enabled=True)
        page.on("request", lambda r: None if r.url.startswith(("data:", "about:")) else faults.append(f"{name}: asks for {r.url}"))
        page.set_content(SKIN % (colour, ground, body), wait_until="load")
        if page.evaluate("document.scrollingElement.scrollWidth > innerWidth"):
            faults.append(f"{name}: scrolls sideways on a phone")
        if page.evaluate("[...document.images].some(i => !i.naturalWidth)"):
            faults.append(f"{name}: a picture inside is none")
        page.close()
    return faults


def standalone(profile, scratch, chromium):
    faults = []
    for folder in sorted(profile.iterdir()):
        name = f"standalone: {folder.name}"
        files = sorted(folder.iterdir())
        if [file.name for file in files] != [folder.name + ".html"]:
            faults.append(f"{name}: is not one file but {[file.name for file in files]}")
            continue
        # Somewhere else, alone.
        place = scratch / files[0].name
        place.write_bytes(files[0].read_bytes())
        for theme, width in (("light", 320), ("dark", 1280)):
            context = chromium.new_context(java_script_enabled=False, offline=True, color_scheme=theme,
                                           viewport={"width": width, "height": 800})
            page = context.new_page()
            page.on("console", lambda m: faults.append(f"{name}: console: {m.text}") if m.type in ("error", "warning") else None)
            page.on("request", lambda r: None if r.url.startswith("data:") or r.url == place.as_uri()
                    else faults.append(f"{name}: asks for {r.url[:80]}"))
            page.goto(place.as_uri(), wait_until="load")
            if page.evaluate("document.scrollingElement.scrollWidth > innerWidth"):
                faults.append(f"{name}: scrolls sideways at {width} px")
            shown = page.evaluate("[...document.images].filter(i => i.offsetWidth).map(i => i.naturalWidth)")
            if not all(shown):
                faults.append(f"{name}: a picture is none ({theme})")
            dark = page.evaluate("[...document.querySelectorAll('.on-dark')].map(e => getComputedStyle(e).display !== 'none')")
            if any(is_shown != (theme == "dark") for is_shown in dark):
                faults.append(f"{name}: the pictures are not those of the {theme} theme")
            context.close()
        page = text.Page(place.read_text(encoding="utf-8"))
        faults += [f"{name}: the link {link} leads nowhere" for link in page.links if link.startswith("#") and
                   unquote(link[1:]) not in page.ids]
    return faults


def editor():
    """TinyMCE 5, which Tistory's editor is built on, from the wheel of django-tinymce."""
    for folder in sys.path:
        found = Path(folder) / "tinymce/static/tinymce/tinymce.min.js"
        if found.is_file():
            return found
    sys.exit("TinyMCE: is missing; run scripts/setup --tests")
