"""Proves that check.py finds what it is there to find: a site without a fault, one fault a page, and one fault a feed.

usage: selftest
"""
import base64
import sys
import tempfile
from pathlib import Path

import browser
import check
import feeds

# A picture of one grey point.
PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR42mNoAAAAggCBd81ytgAAAABJRU5ErkJggg==")

PAGE = """<!DOCTYPE html>
<html lang="ko"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>시험</title><link rel="stylesheet" href="style.css">%(style)s<link rel="icon" href="data:,">%(head)s</head>
<body><main><h1 id="처음">시험 쪽</h1><p>검증 손실은 <data value="1.455">1.455</data>로 내려갔다. <a href="#처음">처음</a>
<a href="https://example.com/">밖</a> <a href="other.html#here">다른 쪽</a></p>
<pre tabindex="0">%(long)s</pre><img src="grey.png" alt="회색" width="10" height="10">
<details><summary>표로 보기</summary><p>값</p></details>%(body)s</main></body></html>
"""
STYLE = """body{font-family:sans-serif;overflow-wrap:anywhere;color:#1A1E23;background:#fff} pre{overflow-x:auto}
@media (prefers-color-scheme:dark){body{color:#E3E7EC;background:#14171B} a{color:#8AB4FF}}
"""
OTHER = """<!DOCTYPE html>
<html lang="ko"><head><meta charset="utf-8"><title>다른 쪽</title><link rel="icon" href="data:,"></head>
<body><main><h1 id="here">다른 쪽</h1></main></body></html>
"""

# name: (what goes into the page, what a fault must say)
FAULTS = {
    "tidy": ({"body": "<nonsense>?</nonsense>"}, "tidy: "),
    "nu": ({"body": '<p><a href="#처음"><button type="button">안</button></a></p>'}, "nu: "),
    "missing-file": ({"body": '<p><a href="nothing.html">없다</a></p>'}, "nothing.html: is not there"),
    "missing-anchor": ({"body": '<p><a href="other.html#gone">없다</a></p>'}, "other.html#gone: the page has no such anchor"),
    "absolute": ({"body": '<p><a href="/other.html">뿌리</a></p>'}, "starts at the root"),
    "outside": ({"body": '<p><a href="../secret.html">밖</a></p>'}, "leads out of the site"),
    "folder": ({"body": '<p><a href="folder/">폴더</a></p>'}, "is a folder"),
    "twice": ({"body": '<p id="처음">둘</p>'}, "is there twice"),
    "network": ({"head": '<link rel="stylesheet" href="https://127.0.0.1:9/x.css">'}, "would be fetched from the network"),
    "asked": ({"body": '<p style="background:url(http://127.0.0.1:9/x.png)">배경</p>'}, "was asked from the network"),
    "srcset": ({"body": '<img src="grey.png" srcset="grey.png 1x, gone.png 2x" alt="회색">'}, "gone.png: is not there"),
    "wide": ({"body": '<p style="width:400px">넓다</p>'}, "px wide at 320 px"),
    "picture": ({"body": '<img src="style.css" alt="그림이 아니다">'}, "style.css: is no picture"),
    "css": ({"style": 'p{background:url("gone.woff2")}'}, "gone.woff2: is not there"),
    "axe": ({"body": '<p style="color:#999;background:#fff">옅다</p>'}, "axe: color-contrast"),
    "dark-only": ({"style": "@media (prefers-color-scheme:dark){p{color:#333}}"}, "(dark, 1280 px): axe: color-contrast"),
}

FEED = """<?xml version="1.0" encoding="utf-8"?>
<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="ko"><id>https://example.org/</id><title>시험</title>
<link rel="self" href="https://example.org/feed.xml"/><updated>2026-01-02T00:00:00Z</updated><author><name>가</name></author>
<entry><id>https://example.org/other.html</id><title>글</title><link rel="alternate" href="https://example.org/other.html"/>
<published>2026-01-02T00:00:00Z</published><updated>2026-01-02T00:00:00Z</updated><summary>요약</summary></entry></feed>
"""
SITEMAP = """<?xml version="1.0" encoding="utf-8"?>
<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"><url><loc>https://example.org/</loc><lastmod>2026-01-02</lastmod></url>
<url><loc>https://example.org/other.html</loc></url></urlset>
"""
ROBOTS = "User-agent: *\nAllow: /\n\nSitemap: https://example.org/sitemap.xml\n"
ENTRY = FEED[FEED.index("<entry>"):FEED.index("</feed>")]

# name: (file, what is replaced, by what, what a fault must say)
FEED_FAULTS = {
    "no id": ("feed.xml", "<id>https://example.org/</id>", "", "feed.xml: atom: "),
    "a day for a time": ("feed.xml", "<updated>2026-01-02T00:00:00Z</updated><author>", "<updated>2026-01-02</updated><author>",
                         "feed.xml: atom: "),
    "unknown element": ("feed.xml", "<summary>", "<pubDate>x</pubDate><summary>", "feed.xml: atom: "),
    "no XML": ("feed.xml", "</entry>", "", "feed.xml: atom: "),
    "an entry twice": ("feed.xml", ENTRY, ENTRY + ENTRY, "is there twice"),
    "a page that is gone": ("feed.xml", 'alternate" href="https://example.org/other.html', 'alternate" href="https://example.org/gone.html',
                            "gone.html: is not in the site"),
    "nobody wrote it": ("feed.xml", "<author><name>가</name></author>", "", "has no author"),
    "newer than the feed": ("feed.xml", "</published><updated>2026-01-02", "</published><updated>2026-01-03", "is newer than the feed"),
    "a wrong date": ("sitemap.xml", "2026-01-02", "2. Januar", "sitemap.xml: sitemap: "),
    "a relative address": ("sitemap.xml", "https://example.org/other.html", "other.html", "sitemap.xml: sitemap: "),
    "a page left out": ("sitemap.xml", "<url><loc>https://example.org/other.html</loc></url>", "", "other.html: is missing"),
    "a page too many": ("sitemap.xml", "</urlset>", "<url><loc>https://example.org/gone.html</loc></url></urlset>", "gone.html: is not in the site"),
    "robots name none": ("robots.txt", "Sitemap:", "#", "does not name the sitemap"),
}


def write_feeds(folder, file="", old="", new=""):
    for name, text in (("feed.xml", FEED), ("sitemap.xml", SITEMAP), ("robots.txt", ROBOTS)):
        if name == file:
            assert old in text, (name, old)
            text = text.replace(old, new, 1)
        (folder / name).write_text(text, encoding="utf-8")


def feed_faults(root):
    """Names of the faults that were not found, with what was said instead."""
    wrong = []
    for number, (name, (file, old, new, text)) in enumerate(FEED_FAULTS.items()):
        folder = Path(root, f"feeds {number}")
        write(folder, {"index": {}})
        write_feeds(folder, file, old, new)
        said = feeds.check(folder, browser.pages(folder))
        if not any(text in fault for fault in said):
            wrong.append(f"{name}: not found; the checks said {said}")
    return wrong


def write(folder, pages):
    """`pages`: name → what goes into the page; a style gets a sheet of its own."""
    (folder / "folder").mkdir(parents=True)
    for name, parts in pages.items():
        fill = {"head": "", "body": "", "long": "한 줄로 아주 긴 코드 " * 20} | parts
        fill["style"] = ""
        if "style" in parts:
            fill["style"] = f'<link rel="stylesheet" href="{name}.css">'
            (folder / f"{name}.css").write_text(parts["style"], encoding="utf-8")
        (folder / f"{name}.html").write_text(PAGE % fill, encoding="utf-8")
    (folder / "other.html").write_text(OTHER, encoding="utf-8")
    (folder / "style.css").write_text(STYLE, encoding="utf-8")
    (folder / "grey.png").write_bytes(PNG)


def main():
    with tempfile.TemporaryDirectory(prefix="lorapress pages ") as root:
        good, bad = Path(root, "good site"), Path(root, "bad")
        write(good, {"index": {}})
        write_feeds(good)
        wrong = [f"a page without a fault: {fault}" for fault in check.check(good)[1]]
        write(bad, {name: parts for name, (parts, _) in FAULTS.items()})
        Path(root, "secret.html").write_text(OTHER, encoding="utf-8")
        found = check.check(bad)[1]
        wrong += feed_faults(root)
    for name, (_, text) in FAULTS.items():
        said = [fault for fault in found if fault.startswith((f"{name}.html", f"{name}.css"))]
        if not any(text in fault for fault in said):
            wrong.append(f"{name}: not found; the checks said {said}")
    for line in wrong:
        print(line)
    print(f"{len(FAULTS) + len(FEED_FAULTS) + 1} sites and pages, {len(wrong)} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
