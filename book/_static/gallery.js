/* The gallery's pictures, enlarged over the page, one figure's ways in one place: what changes
   between them is seen best so. Without this script each picture is a link to its file. */
(() => {
  const dialog = document.createElement("dialog");
  if (!dialog.showModal) return;
  dialog.className = "gdp-view";
  dialog.setAttribute("aria-label", "Enlarged picture");
  dialog.innerHTML =
    '<div class="gdp-view-head"><p aria-live="polite"></p>' +
    '<button type="button" aria-label="Close">✕</button></div>' +
    '<img alt="" src="data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7" draggable="false"><div class="gdp-view-ways" role="group" aria-label="Way"></div>';
  document.body.append(dialog);
  const [title, close] = dialog.firstChild.children;
  const [, image, ways] = dialog.children;
  let shots = [];
  let at = 0;

  const show = (number) => {
    at = (number + shots.length) % shots.length;
    const shot = shots[at];
    const picture = shot.querySelector("img");
    image.src = shot.href;
    image.alt = picture.alt;
    const score = shot.querySelector("b").textContent;
    title.textContent = [shot.closest("figure").dataset.title, shot.dataset.way, score]
      .filter(Boolean)
      .join(" · ");
    [...ways.children].forEach((button, n) => button.setAttribute("aria-pressed", n === at));
  };

  const open = (shot) => {
    shots = [...shot.closest("figure").querySelectorAll(".gdp-shot")];
    ways.replaceChildren(
      ...shots.map((other, number) => {
        new Image().src = other.href; // so that a change is at once
        const button = document.createElement("button");
        button.type = "button";
        button.textContent = other.dataset.way;
        button.addEventListener("click", () => show(number));
        return button;
      }),
    );
    show(shots.indexOf(shot));
    dialog.showModal();
    ways.children[at].focus();
  };

  document.addEventListener("click", (event) => {
    const shot = event.target.closest(".gdp-shot");
    if (!shot || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    open(shot);
  });
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close(); // beside it
  });
  dialog.addEventListener("close", () => shots[at]?.focus());
  dialog.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation(); // the theme turns pages with arrows
    show(at + step);
    ways.children[at].focus();
  });
  image.addEventListener("click", () => show(at + 1));
  let from = null;
  image.addEventListener("touchstart", (event) => (from = event.changedTouches[0].clientX), {
    passive: true,
  });
  image.addEventListener("touchend", (event) => {
    const moved = event.changedTouches[0].clientX - from;
    if (Math.abs(moved) < 30) return; // a tap, which is a click
    event.preventDefault();
    show(at + (moved < 0 ? 1 : -1));
  });
})();
