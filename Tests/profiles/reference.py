"""The Markdown post of `posts/SLUG` as an independent reader (markdown-it) shows it: what every platform must show too."""
import re
from urllib.parse import unquote

from markdown_it import MarkdownIt

import text

NOTE = re.compile(r"\[\^([^\]]+)\]")


class Reference:
    def __init__(self, path):
        source = path.read_text(encoding="utf-8")
        # Notes are compared by their text alone: every reader places them otherwise.
        self.notes = re.findall(r"^\[\^[^\]]+\]: (.*)$", source, re.M)
        source = re.sub(r"^\[\^[^\]]+\]: .*$", "", source, flags=re.M)
        markdown = MarkdownIt("commonmark", {"html": True}).enable("table")
        self.page = text.Page(markdown.render(source))
        blocks = self.page.blocks
        # Title and the line under it are the platform's to show.
        start = next(i for i, (tag, _) in enumerate(blocks) if tag not in ("h1",))
        meta = re.compile(r"^(\d{4}년 \d+월 \d+일|\d+ [A-Z][a-z]+ \d{4})")
        if blocks[start][0] == "p" and meta.match(blocks[start][1]):
            start += 1
        self.blocks = blocks[start:]

    def compare(self, name, page, cell_break=text.BREAK, is_note=None):
        expected = []
        for tag, block in self.blocks:
            block = block if tag == "pre" else NOTE.sub("", block)
            expected.append(block.replace(text.BREAK, cell_break) if tag in ("td", "th") else block)
        expected = [block for block in expected if block.strip()]
        found, notes = self.split_notes(page)
        faults = []
        fault = text.first_difference(expected, found)
        if fault:
            faults.append(f"{name}: {fault}")
        if len(notes) < len(self.notes):
            faults.append(f"{name}: has {len(notes)} of {len(self.notes)} notes")
        if [NOTE.sub("", bold) for bold in self.page.strong] != [b for b in page.strong if b not in ("각주", "Footnotes")]:
            different = [a for a in self.page.strong if a not in page.strong] or [b for b in page.strong if b not in self.page.strong]
            faults.append(f"{name}: other words are bold: {different[:3]}")
        if [alt for _, alt in self.page.images] != [alt for _, alt in page.images]:
            faults.append(f"{name}: the pictures' alternative texts are not the post's, in its order")
        return faults

    def split_notes(self, page):
        """The page's texts without its notes, and the notes. A reference in the text is a number in <sup>, or [n]."""
        bare = [self.without_references(tag, block) for tag, block in page.blocks]
        notes = []
        for note in self.notes:
            plain = text.Page(MarkdownIt("commonmark", {"html": True}).render(note)).texts
            for i, block in enumerate(bare):
                if plain and block.rstrip(" ↩︎↩").strip() == plain[0]:
                    notes.append(bare.pop(i))
                    break
        return [block for block in bare if block.strip() and block not in ("각주", "Footnotes") or not self.notes and block.strip()], notes

    def without_references(self, tag, block):
        if not self.notes or tag == "pre":
            return block
        numbers = "|".join(str(i + 1) for i in range(len(self.notes)))
        return re.sub(rf"\[({numbers})\]", "", block)

    @staticmethod
    def reaches(link, page):
        return unquote(link[1:]) in page.ids
