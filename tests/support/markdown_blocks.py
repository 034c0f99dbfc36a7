"""Code blocks of Markdown, which tests run as a reader would."""

import re
from dataclasses import dataclass

from markdown_it import MarkdownIt


@dataclass(frozen=True)
class Block:
    """A code block.

    Attributes:
        language: the first word behind the fence, or "".
        words: the words that follow it.
        title: the value of `title="..."` there, which names a file, or "".
        text: what is in the block.
        introduction: the paragraph before it, or "".

    """

    language: str
    words: tuple[str, ...]
    title: str
    text: str
    introduction: str


def code_blocks(markdown):
    """Return the fenced code blocks of a text, in their order."""
    blocks, paragraph = [], ""
    for token in MarkdownIt().parse(markdown):
        if token.type == "inline":
            paragraph = token.content
        elif token.type == "fence":
            language, *words = re.findall(r'[\w-]+="[^"]*"|\S+', token.info) or [""]
            titles = [word[7:-1] for word in words if word.startswith('title="')]
            blocks.append(Block(language, tuple(words), "".join(titles), token.content, paragraph))
            paragraph = ""
    return blocks
