// What moving figures gain from a script of the page: a play button for every slider of stored frames,
// whose frames fade into each other so that the motion is continuous. Without it they are what they were.
const HOLD = 350, FADE = 450; // milliseconds of each frame

function addPlay(input) {
  const label = input.closest("label"), figure = input.closest("figure");
  const rows = [...figure.querySelectorAll(".gdp-row")], told = figure.querySelector("output");
  if (rows.length < 3) return;
  const bar = document.createElement("div"), button = document.createElement("button");
  bar.className = "gdp-bar";
  button.className = "gdp-play";
  button.type = "button";
  button.setAttribute("aria-label", "Play, " + label.textContent.trim());
  button.setAttribute("aria-pressed", "false");
  label.before(bar);
  bar.append(button, label);
  if (told) bar.append(told); // what is shown stays in view with what changes it
  let playing = 0; // the number of the request for the next picture
  const calm = matchMedia("(prefers-reduced-motion: reduce)");

  const clear = row => {
    if (!row) return;
    row.classList.remove("gdp-next");
    row.style.opacity = row.style.top = "";
  };
  const stop = () => {
    cancelAnimationFrame(playing);
    playing = 0;
    button.setAttribute("aria-pressed", "false");
    told?.removeAttribute("aria-live");
    rows.forEach((row, k) => { clear(row); row.hidden = k != input.value; });
  };
  const show = k => {
    input.value = k;
    input.dispatchEvent(new Event("input", { bubbles: true }));
  };
  const start = () => {
    if (+input.value >= rows.length - 1) show(0);
    button.setAttribute("aria-pressed", "true");
    told?.setAttribute("aria-live", "off"); // not every frame is read out
    let k = +input.value, begun;
    const frame = now => {
      begun ??= now;
      const next = rows[k + 1], share = (now - begun - HOLD) / FADE;
      if (share >= 1) {
        clear(next);
        show(++k);
        begun = now;
        if (k >= rows.length - 1) return stop();
      } else if (share > 0 && !calm.matches) {
        next.hidden = false;
        next.classList.add("gdp-next");
        next.style.top = rows[k].offsetTop + "px";
        next.style.opacity = share;
      }
      playing = requestAnimationFrame(frame);
    };
    playing = requestAnimationFrame(frame);
  };
  button.addEventListener("click", () => (playing ? stop() : start()));
  for (const what of ["pointerdown", "keydown"]) input.addEventListener(what, () => playing && stop());
}

document.addEventListener("DOMContentLoaded", () =>
  document.querySelectorAll(".gdp-live .gdp-range input").forEach(addPlay));

// A plot that is scrolled on a phone is scrolled by the keyboard, too, says so in its caption, and
// fades where there is more. So do formulas, code and what it prints.
const scrolled = () => {
  const plots = ".cell_output figure:has(> img), figure.drawing .gdp-cell";
  for (const frame of document.querySelectorAll(`${plots}, .bd-article :is(div.math, pre)`)) {
    const left = frame.scrollWidth - frame.clientWidth;
    frame.classList.toggle("gdp-more", left - frame.scrollLeft > 4);
    if (!frame.matches(plots)) continue;
    if (left > 1) frame.tabIndex = 0;
    else frame.removeAttribute("tabindex");
    frame.closest("figure:has(> figcaption)")?.classList.toggle("gdp-scrolls", left > 1);
  }
};
addEventListener("load", scrolled);
addEventListener("resize", scrolled);
addEventListener("input", scrolled); // another frame is shown
addEventListener("scroll", event => event.target !== document && scrolled(), true);

// Tables of four columns and more, of which two hold sentences, are cards on a phone. So are those of
// three, where most rows begin with words, not with a symbol or a number. Each cell is told what its
// column is. What they are to a screen reader is said, as another display forgets it.
const LONG = 22; // characters: two such columns leave no room for a third
document.addEventListener("DOMContentLoaded", () => {
  for (const name of document.querySelectorAll(".bd-article table.table td code .pre"))
    if (name.textContent.length <= LONG) name.style.whiteSpace = "nowrap"; // not behind its hyphens
  for (const table of document.querySelectorAll(".bd-article table.table:not(details *)")) {
    const heads = [...table.querySelectorAll("thead th")].map(th => th.textContent.trim());
    const rows = [...table.querySelectorAll("tbody tr")].map(tr => [...tr.children]);
    const long = k => rows.some(row => (row[k]?.textContent.trim().length ?? 0) > LONG);
    const sentences = heads.filter((head, k) => long(k)).length;
    const symbols = cell => [...cell.querySelectorAll(".math")].map(e => e.textContent).join("");
    const wordy = ([cell]) => cell.textContent.length - symbols(cell).length > LONG / 2;
    const named = rows.filter(wordy).length > rows.length / 2;
    if (heads.length < (named ? 3 : 4) || sentences < 2 || table.closest(".kinds")) continue;
    table.classList.add("gdp-wordy");
    table.setAttribute("role", "table");
    table.querySelector("tbody").setAttribute("role", "rowgroup");
    for (const row of rows) {
      row[0].parentElement.setAttribute("role", "row");
      row.forEach((cell, k) => {
        cell.dataset.label = heads[k];
        cell.setAttribute("role", "cell");
        cell.classList.toggle("gdp-empty", !cell.textContent.trim());
      });
    }
  }
});
