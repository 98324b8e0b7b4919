"""What the pages of photos share: a picture that is loaded when it comes into view."""

from docutils import nodes
from PIL import Image

from gdp_lite.book.interactive import escape


class picture(nodes.image):
    """An image with its size. label: (words, score), for one that leads to its own file; opens, for
    one that does so without a label; or to and words, for one that leads to another page."""


def visit_picture(self, node):
    """Writes an <img>, in an <a> where it leads somewhere."""
    path = f"{self.builder.imgpath}/{self.builder.images[node['uri']]}"
    image = (
        f'<img src="{path}" alt="{escape(node["alt"])}" width="{node["pixels"][0]}" '
        f'height="{node["pixels"][1]}" loading="lazy">'
    )
    if node.get("label"):
        words, score = node["label"]
        image = (
            f'<a class="gdp-shot" href="{path}" data-way="{escape(words)}">{image}'
            f"<span>{escape(words)}<b>{escape(score)}</b></span></a>"
        )
    if node.get("opens"):
        image = f'<a href="{path}">{image}</a>'
    if node.get("to"):
        image = f'<a href="{node["to"]}">{image}<span>{escape(node["words"])}</span></a>'
    self.body.append(image)
    raise nodes.SkipNode


def image(path, folder, alt, **more):
    """The node of a picture in book/FOLDER."""
    with Image.open(path) as file:  # as "width", Sphinx would make it a link to the picture
        return picture(uri=f"{folder}/{path.name}", alt=alt, pixels=file.size, **more)


def raw(text):
    """HTML as it is."""
    return nodes.raw("", text, format="html")


def setup(app):
    app.add_node(picture, html=(visit_picture, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
