"""The API reference: NumPy sections whose entries begin on the line of the name.

    width : of the kernel, pixels.

keeps a docstring short. Sphinx would take what follows the colon for a type; here it becomes the
description, and the types come from the annotations.
"""

import typing

from sphinx.util.typing import stringify_annotation

from gdp_lite import degradations

FIELDS = {"Parameters": "param", "Raises": "raises"}


def entries(title, lines):
    """A section, without its heading, as a field list."""
    if title == "Returns":
        return [f":returns: {' '.join(line.strip() for line in lines)}"]
    texts, last = {}, ""
    for line in lines:
        if line.startswith(" "):
            texts[last] += f" {line.strip()}"
        else:
            names, _, text = line.partition(" : ")
            last, *others = names.split(", ")
            texts[last] = text
            texts.update(dict.fromkeys(others, f"see `{last}`."))
    return [f":{FIELDS[title]} {name}: {text}" for name, text in texts.items()]


def short_entries(app, what, name, obj, options, lines):
    """Rewrites the sections of a docstring in place, before napoleon sees it."""
    found, number = [], 0
    while number < len(lines):
        title = lines[number]
        if title in (*FIELDS, "Returns") and set(lines[number + 1]) == {"-"}:
            end = number = number + 2
            while end < len(lines) and lines[end].strip():
                end += 1
            found += entries(title, lines[number:end])
            # One field list, not several, where another section follows.
            following = lines[end + 1] if end + 1 < len(lines) else ""
            number = end + 1 if following in (*FIELDS, "Returns") else end
        else:
            found.append(title)
            number += 1
    lines[:] = found


def types_of_arguments(app, what, name, obj, options, arguments, result):
    """A class is called with the types of its `__init__`: Sphinx prefers its attributes' where
    both have the name (the `width` that is given is a float, the one that is learned a tensor)."""
    if what == "class" and "__init__" in vars(obj):
        noted = app.env.temp_data["annotations"][name]
        # Estimators name degradations for the type checker alone, since those import them.
        hints = typing.get_type_hints(obj.__init__, localns=dict(vars(degradations)))
        noted.update({n: stringify_annotation(hints[n], "smart") for n in noted if n in hints})


def setup(app):
    app.connect("autodoc-process-docstring", short_entries, priority=400)
    app.connect("autodoc-process-signature", types_of_arguments, priority=600)
    return {"parallel_read_safe": True}
