"""Debian's Chromium by Playwright, shared by check.py and screenshots.py."""
import contextlib
import os
import shutil
import sys

from playwright.sync_api import Error, sync_playwright


def executable():
    named = os.environ.get("CHROMIUM")
    found = named or shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
    if not found:
        sys.exit("chromium: is missing; run scripts/setup --tests, or name a browser with CHROMIUM=/path/to/chrome")
    return found


@contextlib.contextmanager
def chromium():
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=executable())
        except Error as error:
            sys.exit(f"{executable()}: does not start: {str(error).splitlines()[0]}")
        try:
            yield browser
        finally:
            browser.close()


def pages(site):
    """Every HTML file below the folder, in a fixed order."""
    found = sorted(site.rglob("*.html"))
    if not found:
        sys.exit(f"{site}: holds no HTML page; make the site with `lorapress render` first")
    return found
