"""Figures that move in a page without Python: a slider, a before/after, a stepper.

Each returns one piece of HTML that holds its pictures (WebP), its style and its few lines of
script. It is the same in the built book, in Jupyter and in Colab, and the same from run to run.

Why native inputs there and not ipywidgets: a widget needs a kernel, or a stored state and a
widget manager of several hundred kB that is loaded from another host; Colab's ipywidgets 7.7
lacks the parts that work without a kernel. `<input type=range>` and radio buttons need nothing,
and bring keyboard, touch, focus and a screen reader's words with them. The script stands in the
inputs' own handlers, so nothing has to be found again by an id in a page of many outputs.

Someone at a live kernel is shown a twin made of ipywidgets (7.7 or 8, where installed), whose
slider may also compute what lies between the stored pictures (`live`). Before/after has no twin:
its line follows the pointer, which a kernel asked at every pixel would only slow down.

Images: (1, 3, H, W) or (3, H, W) in display range, clipped for showing.
"""

import base64
import html
import io
from importlib.util import find_spec

import numpy as np
from IPython import get_ipython
from IPython.display import HTML
from PIL import Image

BUDGET = 360_000  # characters of pictures in one figure: a page holds several in 1.5 MB
QUALITIES = (80, 65, 50, 35)  # noise is what WebP compresses worst: step down until it fits
VIEW = "application/vnd.jupyter.widget-view+json"

# Colours are inherited from whatever page this stands in, so dark mode needs no rule here.
# On paper, where nothing moves, every position is shown, small and with its title.
STYLE = """<style>
.gdp-live{margin:1em 0;padding:0;max-width:100%;text-align:left;color:inherit;font:inherit}
.gdp-live *{box-sizing:border-box}
.gdp-live [hidden]{display:none!important}
.gdp-live .gdp-row{display:flex;flex-wrap:wrap;gap:.5em}
.gdp-live .gdp-cell{flex:1 1 14em;min-width:0;max-width:36em}
.gdp-live img{display:block!important;width:100%!important;height:auto!important;margin:0!important;
 padding:0!important;border-radius:0!important;background:none!important;filter:none!important}
.gdp-live label{display:inline-flex;align-items:center;gap:.5em;margin:0;min-height:2em}
.gdp-live .gdp-range{display:flex;flex-wrap:wrap}
.gdp-live .gdp-range input{flex:1 1 12em;min-width:0;min-height:2em;max-width:30em}
.gdp-live output{display:block;min-height:1.5em;font-weight:bold}
.gdp-live fieldset{display:flex;flex-wrap:wrap;gap:0 1.2em;margin:0 0 .3em;padding:0;border:0;
 min-width:0}
.gdp-live legend{float:none;width:auto;margin:0;padding:0;font:inherit;font-weight:bold}
.gdp-live input:focus-visible,.gdp-live .gdp-both:has(input:focus-visible){
 outline:3px solid #1a73e8;outline-offset:2px;box-shadow:0 0 0 2px #fff}
.gdp-live .gdp-both{position:relative;max-width:44em}
.gdp-live .gdp-pair{position:relative;overflow:hidden}
.gdp-live .gdp-pair img+img{position:absolute;inset:0;
 clip-path:inset(0 calc(100% - var(--cut)*1%) 0 0)}
.gdp-live .gdp-pair span{position:absolute;top:.4em;padding:.1em .5em;border-radius:.2em;
 background:#000c;color:#fff;pointer-events:none}
.gdp-live .gdp-pair input{position:absolute;top:0;left:-22px;width:calc(100% + 44px);height:100%;
 margin:0;padding:0;background:none;-webkit-appearance:none;appearance:none;cursor:ew-resize;
 touch-action:pan-y;outline:0!important;box-shadow:none!important}
.gdp-live .gdp-pair input::-webkit-slider-runnable-track{height:100%;background:none}
.gdp-live .gdp-pair input::-moz-range-track{height:100%;background:none}
.gdp-live .gdp-pair input::-webkit-slider-thumb{-webkit-appearance:none;width:44px;height:100%;
 border:0;border-radius:0;THUMB}
.gdp-live .gdp-pair input::-moz-range-thumb{width:44px;height:100%;border:0;border-radius:0;THUMB}
@media print{.gdp-live .gdp-row,.gdp-live .gdp-row[hidden]{display:inline-flex!important;
 vertical-align:top;margin:.3em;break-inside:avoid}
 .gdp-live .gdp-row::before{content:attr(data-title);flex:0 0 100%;font-weight:bold}
 .gdp-live .gdp-cell{flex:0 0 10em}
 .gdp-live output,.gdp-live form,.gdp-live .gdp-range{display:none}}
</style>
""".replace(
    # The dividing line and, in its middle, a grip; the thumb is 44 px wide for fingers.
    "THUMB",
    "background:radial-gradient(circle at 50% 50%,#fff 0 9px,#000 10px 11px,#0000 12px),"
    "linear-gradient(90deg,#0000 20px,#000 20px 21px,#fff 21px 23px,#000 23px 24px,#0000 24px)",
)


class Figure(HTML):
    """HTML for the last line of a cell; its text form is the same at every run.

    twin: makes the same of ipywidgets, or None. It is offered beside the HTML, and a front end
    shows the richer of the two that it knows.
    """

    def __init__(self, body, text, twin=None):
        super().__init__(framed(body))
        self.text, self.twin = text, twin

    def __repr__(self):
        return self.text

    def _repr_mimebundle_(self, include=None, exclude=None):
        if self.twin is None or not _somebody_is_there():
            return {}
        return {VIEW: {"version_major": 2, "version_minor": 0, "model_id": self.twin().model_id}}


def framed(body):
    """A figure's HTML around its controls and pictures."""
    return f'<figure class="gdp-live">\n{STYLE}{body}</figure>'


def _somebody_is_there():
    """Whether a person sits at the kernel, with ipywidgets installed.

    A program that runs notebooks to store or test their outputs (`jupyter execute`, nbval) tells
    the kernel that nobody can answer an `input()`. So stored outputs hold no widget, which could
    not move, and whose name differs at every run.
    """
    kernel = getattr(get_ipython(), "kernel", None)
    return bool(getattr(kernel, "_allow_stdin", False) and find_spec("ipywidgets"))


def _twin(controls, body):
    """Controls of ipywidgets above body(their values), which is HTML: so it has its alt text."""
    import ipywidgets

    picture = ipywidgets.HTML()

    def show(_=None):
        picture.value = framed(body(*(control.value for control in controls)))

    for control in controls:
        control.style.description_width = "initial"
        control.observe(show, "value")
    show()
    return ipywidgets.VBox([*controls, picture])


def escape(value):
    """Any title or label, a number too, as text for HTML."""
    return html.escape(str(value))


def _array(image, where):
    """An image as (H, W, 3) uint8, or a ValueError that names it."""
    image = np.asarray(image.detach().cpu() if hasattr(image, "detach") else image)
    if image.dtype.kind != "f":
        raise ValueError(f"{where}: {image.dtype} values, an image has floats from 0 to 1")
    image = image[0] if image.ndim == 4 and len(image) == 1 else image
    if image.ndim != 3 or image.shape[0] != 3:
        raise ValueError(f"{where}: shape {image.shape}, an image is (1, 3, H, W)")
    if not np.isfinite(image).all():
        raise ValueError(f"{where}: the image has values that are not finite")
    return (image.clip(0, 1) * 255).round().astype(np.uint8).transpose(1, 2, 0)


def _tags(arrays, alts, quality):
    """An <img> for each array, the picture inside it."""
    tags = []
    for array, alt in zip(arrays, alts, strict=True):
        file = io.BytesIO()
        Image.fromarray(array).save(file, "WEBP", quality=quality)
        code = base64.b64encode(file.getvalue()).decode()
        height, width = array.shape[:2]
        tags.append(
            f'<img src="data:image/webp;base64,{code}" alt="{escape(alt)}" '
            f'width="{width}" height="{height}">'
        )
    return tags


def _pictures(named, what):
    """Tags for (name, image, alt) triples, at the best quality that stays within the budget."""
    arrays = [_array(image, f"{what}, {name!r}") for name, image, _ in named]
    for quality in QUALITIES:
        tags = _tags(arrays, [alt for _, _, alt in named], quality)
        size = sum(map(len, tags))
        if size <= BUDGET:
            return tags
    raise ValueError(
        f"{what}: {len(tags)} pictures need {size // 1000} kB and {BUDGET // 1000} are allowed: "
        "show fewer or smaller ones"
    )


def _row(title, tags, captions=None, hidden=False):
    """One position's pictures beside each other, with their captions."""
    told = ["" if captions is None else f"<div>{escape(c)}</div>" for c in captions or tags]
    cells = "".join(
        f'<div class="gdp-cell">{tag}{text}</div>' for tag, text in zip(tags, told, strict=True)
    )
    hide = " hidden" if hidden else ""
    return f'<div class="gdp-row" data-title="{escape(title)}"{hide}>{cells}</div>\n'


def _alts(given, titles, default, what):
    """One text for each title: those given, which must be all of them, or the default."""
    if given is None:
        return {title: default(title) for title in titles}
    if set(given) != set(titles) or not all(given.values()):
        raise ValueError(f"{what}: alts must say something for each of {list(titles)}")
    return given


def slider(frames, label, alts=None, live=None):
    """Precomputed pictures, one position of a slider each; the first is shown without script too.

    frames: title -> image, or title -> {caption: image} for several beside each other.
    label: what the slider changes, such as "noise level". alts: title -> what is seen there;
    by default label and title. live: (values, look) for a slider at a kernel that runs over many
    more values than there are frames; look(value) gives title, image or images, alt, and should
    take well under a second. ValueError for no frames, no label, a bad image, missing alts.
    """
    if not frames or not label:
        raise ValueError("slider: needs frames and a label")
    alts = _alts(alts, frames, lambda title: f"{label}: {title}", "slider")
    positions = [(title, _several(title, frames[title]), alts[title]) for title in frames]
    tags = iter(_pictures([p for position in positions for p in _named(*position[1:])], "slider"))
    rows = [(title, [next(tags) for _ in several], several) for title, several, _ in positions]
    body = "".join(_row(*row, hidden=k > 0) for k, row in enumerate(rows))
    first = escape(rows[0][0])
    move = (
        "const f=this.closest('figure'),r=f.querySelectorAll('.gdp-row'),t=r[this.value].dataset."
        "title;r.forEach((e,k)=>e.hidden=k!=this.value);f.querySelector('output').value=t;"
        "this.setAttribute('aria-valuetext',t)"
    )
    control = (
        f'<label class="gdp-range">{escape(label)} <input type="range" min="0" '
        f'max="{len(frames) - 1}" value="0" step="1" autocomplete="off" '
        f'aria-valuetext="{first}" oninput="{move}"></label>\n<output>{first}</output>\n'
    )

    def seen(value):
        """The HTML at a value of the twin's slider: a stored row, or one made now."""
        if live is None:
            row = rows[value]
        else:
            title, images, alt = live[1](value)
            several = _several(title, images)
            row = title, _pictures(_named(several, alt), "slider"), several
        return f"<output>{escape(row[0])}</output>\n{_row(*row)}"

    def twin():
        from ipywidgets import SelectionSlider

        values = range(len(rows)) if live is None else live[0]
        words = [str(value if live else rows[value][0]) for value in values]
        options = list(zip(words, values, strict=True))
        return _twin([SelectionSlider(options=options, description=label, readout=False)], seen)

    return Figure(control + body, f"slider, {label}: {', '.join(map(str, frames))}", twin)


def _several(title, value):
    """{caption: image} at a position of a slider."""
    several = value if isinstance(value, dict) else {"": value}
    if not several:
        raise ValueError(f"slider: no picture at {title!r}")
    return several


def _named(several, alt):
    """(caption, image, alt) of each: the first has the words, the others have their captions."""
    return [(c, image, "" if k else alt) for k, (c, image) in enumerate(several.items())]


def before_after(before, after, alt, labels=("before", "after")):
    """Two pictures of one size, one over the other, with a line between them to drag.

    alt: what the comparison shows. labels: the names of the two. ValueError for a bad image,
    two sizes, or no alt.
    """
    if not alt or len(labels) != 2:
        raise ValueError("before_after: needs an alt text and two labels")
    below, above = _pictures([(labels[1], after, alt), (labels[0], before, "")], "before_after")
    if np.shape(before)[-2:] != np.shape(after)[-2:]:
        raise ValueError("before_after: the two pictures differ in size")
    left, right = map(escape, labels)
    move = (
        "this.closest('.gdp-pair').style.setProperty('--cut',this.value);this.setAttribute("
        "'aria-valuetext',this.value+' percent '+this.dataset.left)"
    )
    body = (
        f'<div class="gdp-both"><div class="gdp-pair" style="--cut:50">{below}{above}\n'
        f'<span style="left:.4em">{left}</span><span style="right:.4em">{right}</span>\n'
        f'<input type="range" min="0" max="100" value="50" step="1" autocomplete="off" '
        f'aria-label="Compare {left} with {right}" data-left="{left}" '
        f'aria-valuetext="50 percent {left}" oninput="{move}"></div></div>\n'
    )
    return Figure(body, f"before and after: {labels[0]}, {labels[1]}")


def stepper(table, alts=None, labels=("method", "image")):
    """A table of pictures, of which one is shown: radio buttons choose its row and its column.

    table: method -> {image name: image}, the same names for every method. alts: method ->
    {image name: what is seen}; by default the two names. labels: what rows and columns are.
    ValueError for an empty or ragged table, a bad image, missing alts.
    """
    if not table or not all(table.values()):
        raise ValueError("stepper: the table is empty")
    columns = list(next(iter(table.values())))
    if any(list(row) != columns for row in table.values()):
        raise ValueError(f"stepper: every {labels[0]} needs the same columns, {columns}")
    alts = _alts(alts, table, lambda method: None, "stepper")
    named = []
    for method, row in table.items():
        told = _alts(alts[method], columns, lambda c, m=method: f"{c}, {m}", "stepper")
        named += [(f"{method}, {c}", image, told[c]) for c, image in row.items()]
    rows = [(n[0], [tag]) for n, tag in zip(named, _pictures(named, "stepper"), strict=True)]
    body = "".join(_row(*row, hidden=k > 0) for k, row in enumerate(rows))
    # A form keeps its radio buttons apart from those of the next figure, whatever their names.
    choose = (
        f"const c=[...this.elements].filter(e=>e.checked).map(e=>+e.value),k=c[0]*{len(columns)}"
        "+c[1];this.closest('figure').querySelectorAll('.gdp-row').forEach((e,i)=>e.hidden=i!=k)"
    )
    control = f'<form autocomplete="off" onsubmit="return false" onchange="{choose}">\n'
    for axis, (label, names) in enumerate(zip(labels, (table, columns), strict=True)):
        control += f"<fieldset><legend>{escape(label)}</legend>"
        for k, name in enumerate(names):
            control += (
                f'<label><input type="radio" name="{axis}" value="{k}"'
                f"{'' if k else ' checked'}>{escape(name)}</label>"
            )
        control += "</fieldset>\n"

    def twin():
        from ipywidgets import RadioButtons

        choices = [
            RadioButtons(options=[(str(n), k) for k, n in enumerate(names)], description=label)
            for label, names in zip(labels, (table, columns), strict=True)
        ]
        return _twin(choices, lambda row, column: _row(*rows[row * len(columns) + column]))

    return Figure(control + "</form>\n" + body, f"stepper, {' x '.join(labels)}", twin)
