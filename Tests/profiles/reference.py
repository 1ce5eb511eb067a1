"""The Markdown post of `posts/SLUG` as an independent reader (markdown-it) shows it: what every platform must show too."""
import re
from urllib.parse import unquote

from markdown_it import MarkdownIt

import text

class Reference:
    def __init__(self, path):
        source = path.read_text(encoding="utf-8")
        # Notes are compared by their text alone: every reader places them otherwise.
        notes = re.findall(r"^\[\^([^\]]+)\]: (.*)$", source, re.M)
        self.notes = [note for _, note in notes]
        source = re.sub(r"^\[\^[^\]]+\]: .*$", "", source, flags=re.M)
        for name, _ in notes:
            source = source.replace(f"[^{name}]", "")
        # A table of pairs without a head is a list on the platforms.
        source = re.sub(r"^\| *\| *\|\n\| --- \| --- \|\n((?:\|.*\|\n)+)",
                        lambda table: re.sub(r"^\| (.*?) \| (.*) \|$", r"- \1: \2", table[1], flags=re.M), source, flags=re.M)
        self.page = self.read(source)
        blocks = self.page.blocks
        # Title and the line under it are the platform's to show.
        start = next(i for i, (tag, _) in enumerate(blocks) if tag not in ("h1",))
        meta = re.compile(r"^(\d{4}년 \d+월 \d+일|\d+ [A-Z][a-z]+ \d{4})")
        if blocks[start][0] == "p" and meta.match(blocks[start][1]):
            start += 1
        self.blocks = blocks[start:]

    def compare(self, name, page, cell_break=text.BREAK, is_hugo=False):
        expected = []
        for tag, block in self.blocks:
            expected.append(block.replace(text.BREAK, cell_break) if tag in ("td", "th") else block)
        expected = [block for block in expected if block.strip()]
        found, notes = self.split_notes(page)
        if is_hugo:
            # The joiner that keeps a shortcode from being read; see ShortcodeEscape.
            found = [block.replace("\N{WORD JOINER}", "") for block in found]
        faults = []
        fault = text.first_difference(expected, found)
        if fault:
            faults.append(f"{name}: {fault}")
        if len(notes) < len(self.notes):
            faults.append(f"{name}: has {len(notes)} of {len(self.notes)} notes")
        bold = [word for word in page.strong if word not in ("각주", "Footnotes")]
        wanted = self.page.strong + [word for note in self.notes for word in self.read(note).strong]
        if wanted != bold:
            different = [a for a in wanted if a not in bold] or [b for b in bold if b not in wanted]
            faults.append(f"{name}: other words are bold: {different[:3]}")
        shape = page.shape
        if self.notes:
            # The list of notes comes last, after a rule where there is one.
            shape = shape[:len(shape) - 1 - len(self.notes)]
            shape = shape[:-1] if shape and shape[-1] == "hr" else shape
        fault = text.first_difference(self.page.shape, shape)
        if fault:
            faults.append(f"{name}: as to tags, {fault}")
        alike = (lambda alt: re.sub(r"[\W]", "", alt)) if is_hugo else str
        if [alike(alt) for _, alt in self.page.images] != [alike(alt) for _, alt in page.images] or any("\\" in alt for _, alt in page.images):
            faults.append(f"{name}: the pictures' alternative texts are not the post's, in its order")
        return faults

    def split_notes(self, page):
        """The page's texts without its notes, and the notes. A reference in the text is a number in <sup>, or [n]."""
        bare = [self.without_references(tag, block) for tag, block in page.blocks]
        notes = []
        for note in self.notes:
            plain = self.read(note).texts
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
    def read(markdown):
        return text.Page(MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown))

    @staticmethod
    def reaches(link, page):
        return unquote(link[1:]) in page.ids
