"""What a reader sees of a piece of HTML: its blocks' texts in order, its bold words, pictures, links and ids."""
import re
from html.parser import HTMLParser

INLINE = {"a", "strong", "b", "em", "i", "code", "span", "sup", "sub", "data", "del", "wbr", "time"}
VOID = {"br", "img", "hr", "wbr", "source", "meta", "link", "input"}
BREAK = "\N{LINE SEPARATOR}"


class Page(HTMLParser):
    """`blocks` hold (tag, text); a line break inside one is BREAK."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.blocks, self.strong, self.images, self.links, self.ids, self.tags = [], [], [], [], set(), []
        self._text, self._open, self._strong, self._skip = "", [], None, 0
        self.feed(html)
        self.close()
        self._flush()

    def _flush(self):
        tag = next((t for t in reversed(self._open) if t not in INLINE), "")
        in_pre = "pre" in self._open
        text = self._text.strip("\n") if in_pre else re.sub(r"[ \t\n]+", " ", self._text).strip()
        text = text if in_pre else re.sub(f" ?{BREAK}[ {BREAK}]*", BREAK, text)
        if text.strip():
            self.blocks.append(("pre" if in_pre else tag, text))
        self._text = ""

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.tags.append((tag, values))
        if "id" in values:
            self.ids.add(values["id"])
        if tag == "br":
            self._text += BREAK
            return
        if tag == "img":
            self.images.append((values.get("src", ""), values.get("alt", "")))
            return
        if tag == "a" and values.get("href"):
            self.links.append(values["href"])
        if tag in ("strong", "b"):
            self._strong = ""
        if tag in ("style", "script"):
            self._skip += 1
        if tag not in INLINE and not (tag in ("div", "span") and "pre" in self._open):
            self._flush()
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        if tag in VOID:
            return
        if tag in ("style", "script"):
            self._skip -= 1
        if tag in ("strong", "b") and self._strong is not None:
            self.strong.append(re.sub(r"\s+", " ", self._strong).strip())
            self._strong = None
        if tag not in INLINE and not (tag in ("div", "span") and "pre" in self._open):
            self._flush()
        if tag in self._open:
            while self._open.pop() != tag:
                pass

    def handle_data(self, data):
        if self._skip or "sup" in self._open:
            return  # the number of a note
        self._text += data
        if self._strong is not None:
            self._strong += data

    @property
    def shape(self):
        """The blocks without their texts: lists with their first number, tables, quotes, headings."""
        shape = []
        for tag, values in self.tags:
            if tag in ("ol", "ul", "li", "blockquote", "table", "tr", "pre", "hr", "h2", "h3", "h4"):
                start = values.get("start", "1")
                shape.append(f"{tag} from {start}" if tag == "ol" and start != "1" else tag)
        return shape

    @property
    def texts(self):
        return [text for _, text in self.blocks]


def first_difference(expected, found):
    """A sentence on where two lists of texts part; None where they don't."""
    for number, (a, b) in enumerate(zip(expected, found)):
        if a != b:
            at = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
            return f"block {number + 1} reads “{b[max(0, at - 20):at + 30]}”, not “{a[max(0, at - 20):at + 30]}”"
    if len(expected) != len(found):
        longer, what = (expected, "is missing") if len(expected) > len(found) else (found, "is too much")
        return f"“{longer[min(len(expected), len(found))][:60]}” {what}"
    return None
