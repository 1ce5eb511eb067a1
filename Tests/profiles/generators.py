"""Builds a bare Hugo and a bare Jekyll site from the profiles' folders, and reads what they made."""
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

import text

HUGO = {
    "hugo.toml": 'baseURL = "https://example.org/blog/"\nlanguageCode = "ko"\n'
                 'disableKinds = ["taxonomy", "term", "RSS", "sitemap", "home", "section", "404", "robotsTXT"]\n',
    "layouts/_default/single.html": '<!doctype html><title>{{ .Title }}</title>'
                                    '<p class="meta">{{ .Date.Format "2006-01-02" }}|{{ with .Params.tags }}{{ delimit . "," }}{{ end }}</p>'
                                    "<article>{{ .Content }}</article>\n",
}
JEKYLL = {
    "_config.yml": "baseurl: /blog\nfuture: true\nquiet: true\nliquid:\n  error_mode: strict\n  strict_filters: true\n",
    "_layouts/post.html": '<!doctype html><html lang="{{ page.lang }}"><title>{{ page.title | escape }}</title>'
                          '<p class="meta">{{ page.date | date: "%Y-%m-%d" }}|{{ page.tags | join: "," }}</p>'
                          "<article>{{ content }}</article></html>\n",
}


def needed(tool):
    if not shutil.which(tool):
        sys.exit(f"{tool}: is missing; run scripts/setup --tests")


def site(profile, scratch, files):
    """A fresh site with the posts' folders copied over it, as their user would."""
    for name, content in files.items():
        path = scratch / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    for folder in sorted(profile.iterdir()):
        shutil.copytree(folder, scratch, dirs_exist_ok=True)


def run(command, folder):
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True,
                         env={"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(folder), "LC_ALL": "C.UTF-8"})
    lines = (ran.stdout + ran.stderr).splitlines()
    faults = [line for line in lines if "WARN" in line or "Warning" in line or "ERROR" in line or "Error" in line]
    if ran.returncode:
        faults = faults or [lines[-1] if lines else "no message"]
    return [f"{command[0]}: {fault}" for fault in faults]


def front_matter(path):
    source = path.read_text(encoding="utf-8")
    _, front, body = source.split("---\n", 2)
    try:
        return yaml.safe_load(front), body
    except yaml.YAMLError as error:
        sys.exit(f"{path}: the front matter is no YAML: {' '.join(str(error).split())}")


def article(path):
    html = path.read_text(encoding="utf-8")
    return html, text.Page(html[html.index("<article>"):html.index("</article>")])


def compare(name, path, front, reference, images_at, cell_break):
    """Faults of one built page against the Markdown post it came from."""
    if not path.is_file():
        return [f"{name}: made no page {path.name}"]
    html, page = article(path)
    faults = []
    head = text.Page(html[:html.index("<article>")])
    date, tags = str(front["date"]), ",".join(map(str, front.get("tags", [])))
    if front["title"] not in head.texts:
        faults.append(f"{name}: the title is not “{front['title']}”")
    if f"{date}|{tags}" not in head.texts:
        faults.append(f"{name}: date and tags are not “{date}|{tags}”")
    if "raw HTML omitted" in html:
        faults.append(f"{name}: raw HTML was left out")
    faults += reference.compare(name, page, cell_break, is_hugo=name.startswith("hugo"))
    for source, _ in page.images:
        if not images_at(source).is_file():
            faults.append(f"{name}: the picture {source} is not there")
    faults += [f"{name}: the link {link} leads nowhere" for link in page.links if link.startswith("#") and not reference.reaches(link, page)]
    return faults


def hugo(profile, scratch, references):
    needed("hugo")
    site(profile, scratch, HUGO)
    faults = run(["hugo", "--buildFuture", "--panicOnWarning"], scratch)
    for source in sorted(scratch.glob("content/posts/*/index.md")):
        slug = source.parent.name
        front, _ = front_matter(source)
        if front.get("draft") is not False:
            faults.append(f"hugo: {slug}: is a draft")
        built = scratch / "public/posts" / slug / "index.html"
        faults += compare(f"hugo: {slug}", built, front, references[slug], lambda name: built.parent / name, " / ")
    return faults


def jekyll(profile, scratch, references):
    needed("jekyll")
    site(profile, scratch, JEKYLL)
    faults = run(["jekyll", "build", "--strict_front_matter", "--disable-disk-cache"], scratch)
    for source in sorted(scratch.glob("_posts/*.md")):
        slug = source.name[11:-3]
        front, _ = front_matter(source)
        built = scratch / "_site" / front["permalink"].strip("/") / "index.html"
        name = f"jekyll: {slug}"
        if built.is_file() and f'<html lang="{front["lang"]}">' not in built.read_text(encoding="utf-8"):
            faults.append(f"{name}: lang is lost")
        if source.name[:10] != str(front["date"]):
            faults.append(f"{name}: the file's name has another date than its front matter")
        faults += compare(name, built, front, references[slug],
                          lambda address: scratch / "_site" / address.removeprefix("/blog/"), text.BREAK)
    return faults
