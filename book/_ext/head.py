"""What a page says of itself to those who link to it: a description, a picture, its address.

The address of the pages follows from the repository's in `_config.yml`, which `book/address.py`
keeps: a repository on GitHub has its pages at owner.github.io. Elsewhere, and as long as the owner
is not known, none is claimed.
"""

import re

from docutils import nodes

from gdp_lite.book.interactive import escape

UNKNOWN = "OWNER"  # the owner in `_config.yml` until there is one


def pages_address(repository):
    """Where GitHub publishes the pages of a repository, with a slash at its end; or ""."""
    found = re.fullmatch(r"https://github\.com/([\w-]+)/([\w.-]+)", repository)
    if not found or found[1] == UNKNOWN:
        return ""
    return f"https://{found[1].lower()}.github.io/{found[2]}/"


def description(doctree):
    """The first paragraph of sentences, cut after a sentence within 200 characters, or a word."""
    for paragraph in doctree.findall(nodes.paragraph):
        inside = paragraph.parent
        text = " ".join(paragraph.astext().split())
        if len(text) < 60 or isinstance(inside, nodes.entry | nodes.caption | nodes.list_item):
            continue
        if len(text) <= 200:
            return text
        short = text[:200]
        end = short.rfind(". ")
        return short[: end + 1] if end > 60 else short[: short.rfind(" ")] + "…"
    return ""


def set_address(app, config):
    """Canonical links, by Sphinx's own setting; and the book's title below its mark."""
    config.html_theme_options["logo"] = {"text": config.html_title or config.project}
    repository = config.html_theme_options.get("repository_url", "")
    config.html_baseurl = config.html_baseurl or pages_address(repository)


def tell(app, page, template, context, doctree):
    """Adds the tags to a page."""
    base = app.config.html_baseurl
    told = description(doctree) if doctree else ""
    title = re.sub(r"<[^>]+>", "", context.get("title", ""))  # is HTML
    tags = [("property", "og:title", title), ("property", "og:type", "article")]
    tags += [("property", "og:site_name", escape(app.config.html_title or app.config.project))]
    if told:
        tags += [
            ("name", "description", escape(told)),
            ("property", "og:description", escape(told)),
        ]
    tags += [("name", "twitter:card", "summary_large_image")]
    if base:  # these must be whole addresses
        picture = f"{base}_static/card.jpg"
        tags += [("property", "og:url", f"{base}{page}.html"), ("property", "og:image", picture)]
        tags += [
            ("property", "og:image:alt", "A cat's eyes, grainy on the left, restored on the right")
        ]
    lines = [f'<meta {kind}="{name}" content="{value}" />' for kind, name, value in tags]
    context["metatags"] = context.get("metatags", "") + "\n".join(lines)


def setup(app):
    app.connect("config-inited", set_address)
    app.connect("html-page-context", tell)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
