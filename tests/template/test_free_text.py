"""Free text is legal whatever it holds, and comes out as it was typed."""

import html.parser
import subprocess
import sys
import tomllib

import pytest
from conftest import QUESTIONS, ROOT, run
from markdown_it import MarkdownIt

TEXTS = {
    "quotes": """Bob's "Shop" '''and''' \"\"\"more\"\"\"""",
    "backslashes": r"C:\new\table \u0041 \\ \"",
    "braces": "{{ x }} {% if %} {# y #} ${HOME} $(id) `id` %PATH% # % if",
    "markup": "<b>&amp; </script><!-- *a* _b_ [c](d) ~~e~~ | f",
    "unicode": "Ünïcödé 名前 שלום 🚀👩\u200d💻",
    "toml": 'x" ]\\ = 1 # no comment',
    "a list": "- one",
    "another list": "+ one",
    "a numbered list": "1. First",
    "another numbered list": "1) First",
    "a year": "2048",
    "a rule": "---",
    "an underline": "===",
    "a heading": "# x ##",
    "a quotation": "> x",
    "a fence": "~~~",
    "a table": "| a | b |",
    "a definition": "[x]: https://example.com",
    "entities and shortcodes": "&lt; &#32; :tada: <https://example.com>",
}


class Text(html.parser.HTMLParser):
    """Collects what a browser would show, and the description that a search engine would."""

    def __init__(self, page):
        """Read a page."""
        super().__init__()
        self.tag = None
        self.text = {}
        self.description = None
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        """Remember the element, and the description where it is one."""
        self.tag = dict(attrs).get("class") or tag
        if dict(attrs).get("name") == "description":
            self.description = dict(attrs)["content"]

    def handle_endtag(self, _):
        """Leave the element."""
        self.tag = None

    def handle_data(self, data):
        """Add text to the element it stands in."""
        self.text[self.tag] = self.text.get(self.tag, "") + data


def shown_first(readme):
    """Return the plain text of the first heading and the first paragraph of a Markdown file."""
    tokens = MarkdownIt().parse(readme.read_text(encoding="utf-8"))[:6]
    assert [token.type.removesuffix("_open") for token in tokens[::3]] == ["heading", "paragraph"]
    return [
        "".join(part.content for part in token.children)
        for token in tokens
        if token.type == "inline" and all(part.type in {"text", "text_special"} for part in token.children)
    ]


@pytest.mark.parametrize("text", ["    four, and some more   ", "    - four", "\u3000x\u00a0"], ids=ascii)
def test_spaces_at_the_ends_come_out_intact(bake, text):
    """A script may give what nobody can type, as cookiecutter takes spaces off what is typed."""
    given = "{{ " + ascii(text) + " }}"
    assert shown_first(bake(project_name=given, project_slug="shop", description=given) / "README.md") == [text, text]


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_free_text_comes_out_intact(tmp_path, environment, text):
    """A name that breaks a file, or reads otherwise in one, is found out only after the project was shared."""
    answers = {"project_name": text, "project_slug": "shop", "description": text, "author_name": text}
    asked = [key for key in QUESTIONS if not key.startswith("_")]
    run(
        sys.executable, "-m", "cookiecutter", ROOT, cwd=tmp_path,
        input="".join(f"{answers.get(question, '')}\n" for question in asked),
    )  # fmt: skip
    project = tmp_path / "shop"

    written = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert written["description"] == text
    assert written["authors"] == [{"name": text, "email": "you@example.com"}]
    assert f" {text}\n" in (project / "LICENSE").read_text(encoding="utf-8")

    assert shown_first(project / "README.md") == [text, text]

    code = "from django.template.loader import render_to_string; print(render_to_string('pages/home.html'))"
    page = Text(run(environment("5.2"), "manage.py", "shell", "--no-imports", "-c", code, cwd=project))
    assert page.text["title"] == text
    assert page.text["a"] == text
    assert page.text["lead"] == text
    assert page.description == text

    done = subprocess.run(["ruff", "check", project], capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stdout
