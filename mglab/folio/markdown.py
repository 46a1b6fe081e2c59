"""Markdown as a tree of plain values, so that no word of it is ever read as Typst.

CommonMark with tables and strike-through. Raw HTML and TeX are not interpreted: they appear as they were
written, which is honest and harmless. Pictures and links are left as addresses; whoever builds the folio
decides what they may point at.
"""

from __future__ import annotations

from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

from mglab.folio.ansi import clean

Node = dict[str, Any]

_READER = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
_BLOCKS = {
    "paragraph_open": "para",
    "heading_open": "heading",
    "bullet_list_open": "list",
    "ordered_list_open": "enum",
    "list_item_open": "item",
    "blockquote_open": "quote",
    "table_open": "mdtable",
    "thead_open": "rows",
    "tbody_open": "rows",
    "tr_open": "row",
    "th_open": "cell",
    "td_open": "cell",
}
_INLINES = {"em_open": "em", "strong_open": "strong", "s_open": "strike", "link_open": "link"}


def parse(source: str) -> list[Node]:
    """Read Markdown into blocks: para, heading, list, enum, quote, code, mdtable, rule."""
    root: list[Node] = []
    stack = [root]
    for token in _READER.parse(clean(source)):
        if token.nesting == 1:
            node = _opened(token)
            stack[-1].append(node)
            stack.append(node["c"])
        elif token.nesting == -1:
            stack.pop()
        else:
            stack[-1].extend(_leaf(token))
    return [_settled(node) for node in root]


def inline(source: str) -> list[Node]:
    """Read one line of Markdown into inline nodes."""
    return _inline(_READER.parseInline(clean(source))[0].children or [])


def plain(nodes: list[Node]) -> str:
    """Give the words of inline nodes, without their marks."""
    return "".join(
        " " if node["t"] in ("soft", "break") else node.get("text", "") or plain(node.get("c", [])) for node in nodes
    )


def text(words: str) -> list[Node]:
    """Make inline nodes of words that are not Markdown."""
    return [{"t": "text", "text": clean(words)}]


def _opened(token: Token) -> Node:
    node: Node = {"t": _BLOCKS[token.type], "c": []}
    if token.type == "heading_open":
        node["level"] = int(token.tag[1])
    elif token.type == "ordered_list_open":
        node["start"] = int(token.attrs.get("start", 1))
    elif token.type in ("th_open", "td_open"):
        style = str(token.attrs.get("style", ""))
        node["align"] = style.partition("text-align:")[2].strip(" ;") or "left"
    return node


def _leaf(token: Token) -> list[Node]:
    if token.type == "inline":
        return _inline(token.children or [])
    if token.type in ("fence", "code_block"):
        return [{"t": "code", "text": token.content.rstrip("\n")}]
    if token.type == "hr":
        return [{"t": "rule"}]
    return [{"t": "para", "c": text(token.content)}] if token.content.strip() else []


def _inline(tokens: list[Token]) -> list[Node]:
    root: list[Node] = []
    stack = [root]
    for token in tokens:
        if token.nesting == 1:
            node: Node = {"t": _INLINES[token.type], "c": []}
            if token.type == "link_open":
                node["href"] = str(token.attrs.get("href", ""))
            stack[-1].append(node)
            stack.append(node["c"])
        elif token.nesting == -1:
            stack.pop()
        else:
            stack[-1].append(_word(token))
    return root


def _word(token: Token) -> Node:
    if token.type == "softbreak":
        return {"t": "soft"}
    if token.type == "hardbreak":
        return {"t": "break"}
    if token.type == "code_inline":
        return {"t": "mono", "text": token.content}
    if token.type == "image":
        return {"t": "image", "src": str(token.attrs.get("src", "")), "alt": token.content}
    return {"t": "text", "text": token.content}


def _settled(node: Node) -> Node:
    """Turn a paragraph that is one picture into a figure, and a table into its rows."""
    if node["t"] == "para" and len(node["c"]) == 1 and node["c"][0]["t"] == "image":
        picture = node["c"][0]
        return {"t": "figure", "src": picture["src"], "alt": picture["alt"], "caption": picture["alt"]}
    if node["t"] == "mdtable":
        head, *body = node["c"]
        return {"t": "mdtable", "head": head["c"][0]["c"], "rows": [row["c"] for part in body for row in part["c"]]}
    if node["t"] in ("list", "enum", "item", "quote"):
        return {**node, "c": [_settled(child) for child in node["c"]]}
    return node
