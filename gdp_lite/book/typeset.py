"""Formulas of a line of plain text, as the metadata of the checks have them, in LaTeX.

The metadata stay readable where they are written, in Jupyter and in a failing test.
"""

import re
from collections.abc import Callable

# What a grammar of letters does not reach.
WHOLE = {
    "<A x, y> = <x, A^T y>": r"\langle A\mathbf{x}, \mathbf{y} \rangle ="
    r" \langle \mathbf{x}, A^\top \mathbf{y} \rangle",
    "d^2 A^T A": r"d^2 A^\top A",
    "|h(omega) h(omega')|": r"|h(\omega)\, h(\omega')|",
    "(mean of 1/s_i^2)^(1/2)": r"(\operatorname{mean} 1 / s_i^2)^{1/2}",
    "-2 H^T r": r"-2 H^\top \mathbf{r}",
    "-2 <r, x>": r"-2 \langle \mathbf{r}, \mathbf{x} \rangle",
    "-2 sum r": r"-2 \sum_i r_i",
    "N(0, 1)": r"\mathcal{N}(0, 1)",
    "3hw": "3hw",
    "f >= max y - min y": r"f \ge \max \mathbf{y} - \min \mathbf{y}",
    "[0, 1]": "[0, 1]",
}
GREEK = {name: rf"\{name}" for name in ("alpha", "beta", "sigma", "rho", "omega", "Phi", "eta")}
NAMES = (
    GREEK
    | {
        "alpha_bar": r"\bar\alpha",
        "beta_tilde": r"\tilde\beta",
        "lambda1": r"\lambda_1",
        "eps": r"\epsilon",
        "Cov": r"\operatorname{Cov}",
        "E": r"\mathbb{E}",
        "sqrt": r"\sqrt",
        "log": r"\log",
        "grad": r"\nabla",
        "x": r"\mathbf{x}",
        "y": r"\mathbf{y}",
    }
    | {letter: letter for letter in "HMfncTtsdipqGI"}
)
NAME = "|".join(sorted(map(re.escape, NAMES), key=len, reverse=True))
INDEX = r"(?:_\{[^}]*\}|_[\w])?(?:\^\{[^}]*\}|\^[\w])?"
TOKEN = re.compile(
    "|".join(
        [
            rf"(?P<whole>{'|'.join(map(re.escape, WHOLE))})",
            r"(?P<power>(?<![\w.])\d+e-?\d+\b)",
            r"(?P<name>(?<![\w'])(?:log(?= p\()|grad(?= log)"
            rf"|(?!log|grad)(?:A|{NAME})(?<!A(?=[^_^])){INDEX})(?![\w']))",
            r"(?P<number>(?<![\w.])\d+(?:\.\d+)?(?:\^T)?(?![\w.]*\w))",
            r"(?P<sign>>=|[-+*/=<>|()\[\]])",
            r"(?P<comma>,(?= y[\])]| x_0\)))",
            r"(?P<space> )",
        ]
    )
)


def latex(kind: str, text: str) -> str:
    """One token."""
    if kind == "whole":
        return WHOLE[text]
    if kind == "power":
        factor, power = text.split("e")
        return ("" if factor == "1" else rf"{factor} \cdot ") + f"10^{{{power}}}"
    text = text.replace("^T", r"^\top ")
    if kind == "name":
        return re.sub(rf"^({NAME})", lambda m: NAMES[m[0]], text).replace("|", r"\mid ")
    return {"|": r"\mid", ">=": r"\ge"}.get(text, text)


def formula(run: list[tuple[str, str]]) -> tuple[str, str, str]:
    """A run of tokens, (before, formula, after): what is not within a formula is left outside."""
    solid = {"name", "number", "power", "whole"}
    start, end = 0, len(run)
    while start < end:
        inside = [text for _, text in run[start:end]]
        depth = sum(t in ("(", "[") for t in inside) - sum(t in (")", "]") for t in inside)
        first, last = run[start], run[end - 1]
        opens, closes = first[1] in ("(", "["), last[1] in (")", "]")
        if not (first[0] in solid or (opens and depth <= 0)):
            start += 1
        elif not (last[0] in solid or (closes and depth >= 0)):
            end -= 1
        elif depth > 0 and any(t in ("(", "[") for t in inside):
            end = max(k for k in range(start, end) if run[k][1] in ("(", "["))
        elif depth < 0:
            start = 1 + min(k for k in range(start, end) if run[k][1] in (")", "]"))
        else:
            break
    before, after = ("".join(t for _, t in part) for part in (run[:start], run[end:]))
    if not any(kind in ("name", "power", "whole") for kind, _ in run[start:end]):
        return before + "".join(t for _, t in run[start:end]), "", after
    tex = "".join(latex(*token) for token in run[start:end])
    while found := re.search(r"\\sqrt\(", tex):  # its argument, in braces
        depth, place = 1, found.end()
        while depth:
            depth += {"(": 1, ")": -1}.get(tex[place], 0)
            place += 1
        tex = f"{tex[: found.start()]}\\sqrt{{{tex[found.end() : place - 1]}}}{tex[place:]}"
    return before, tex, after


def typeset(text: str, plain: Callable[[str], str] = str) -> str:
    r"""A line with its formulas between dollars.

    Parameters
    ----------
    text : such as "E[x_0 | x_t] to 1e-7".
    plain : applied to the words between formulas.

    Examples
    --------
    >>> print(typeset("sqrt(alpha_bar_t) x_0 to 1e-7, float64"))
    $\sqrt{\bar\alpha_t} \mathbf{x}_0$ to $10^{-7}$, float64
    """
    out: list[str] = []
    run: list[tuple[str, str]] = []
    place = 0

    def close() -> None:
        before, tex, after = formula(run)
        tex = tex.strip().replace(r") (\mathbb", r")$ $(\mathbb")  # where a long one may break
        out.append(plain(before) + (f"${tex}$" if tex else "") + plain(after))
        run.clear()

    for token in TOKEN.finditer(text):
        if token.start() > place:
            close()
            out.append(plain(text[place : token.start()]))
        run.append((token.lastgroup or "", token[0]))
        place = token.end()
    close()
    return "".join(out) + plain(text[place:])
