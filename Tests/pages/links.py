"""Where the links of a site lead: every relative address and anchor must be there, in the site itself."""
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# What a browser fetches by itself to show the page, and so must lie beside it.
FETCHED = {("img", "src"), ("img", "srcset"), ("source", "src"), ("source", "srcset"), ("script", "src"), ("iframe", "src"),
           ("video", "src"), ("audio", "src"), ("video", "poster"), ("object", "data"), ("embed", "src"), ("use", "href")}
FETCHING_RELATIONS = {"stylesheet", "icon", "preload", "modulepreload", "manifest", "apple-touch-icon"}


class Page(HTMLParser):
    def __init__(self, path):
        super().__init__()
        self.ids = []
        self.links = []     # (address, line, whether the browser fetches it)
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        line = self.getpos()[0]
        if values.get("id"):
            self.ids.append(values["id"])
        relations = set((values.get("rel") or "").lower().split())
        for name, value in attributes:
            if value is None:
                continue
            if name == "srcset":
                for candidate in value.split(","):
                    if candidate.strip():
                        self.links.append((candidate.split()[0], line, True))
            elif name in ("href", "src", "poster", "data", "cite", "longdesc") and (tag, name) != ("data", "data"):
                self.links.append((value, line, (tag, name) in FETCHED or bool(tag == "link" and relations & FETCHING_RELATIONS)))

    handle_startendtag = handle_starttag


def check(site, paths):
    """Faults as "FILE:LINE: text" lines."""
    parsed = {path.resolve(): Page(path) for path in paths}
    faults = []
    for path, page in parsed.items():
        name = path.relative_to(site.resolve())
        for twice in sorted({i for i in page.ids if page.ids.count(i) > 1}):
            faults.append(f"{name}: the id {twice!r} is there twice")
        for address, line, fetched in page.links:
            fault = fault_of(site.resolve(), path, address, fetched, parsed)
            if fault:
                faults.append(f"{name}:{line}: {address}: {fault}")
    for sheet in sorted(site.rglob("*.css")):
        for match in re.finditer(r"""url\(\s*["']?([^"')]+)|@import\s+["']([^"']+)""", sheet.read_text(encoding="utf-8")):
            address = match.group(1) or match.group(2)
            fault = fault_of(site.resolve(), sheet.resolve(), address, True, parsed)
            if fault:
                faults.append(f"{sheet.relative_to(site)}: {address}: {fault}")
    return faults


def fault_of(site, path, address, fetched, parsed):
    parts = urlsplit(address)
    if parts.scheme in ("http", "https", "mailto") or parts.netloc:
        return "would be fetched from the network" if fetched else None
    if parts.scheme == "data":
        return None
    if parts.scheme:
        return f"{parts.scheme}: is no address for a page"
    if parts.path.startswith("/"):
        return "starts at the root, which is not the site when it is opened from disk"
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if not target.is_relative_to(site):
        return "leads out of the site"
    if not target.exists():
        return "is not there"
    if target.is_dir():
        return "is a folder, which a browser lists when it is opened from disk; link to its index.html"
    anchor = unquote(parts.fragment)
    if anchor and anchor != "top" and target in parsed and anchor not in parsed[target].ids:
        return "the page has no such anchor"
    return None
