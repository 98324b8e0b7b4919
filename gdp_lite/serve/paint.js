"use strict";
// Painting over the photo: what should go, and colours of a grey one. A layer is a list of strokes,
// drawn on a canvas, and is sent after each of them; the server fits it to the photo.
const SIDE = 2048; // pixels of a layer's longer side at most: finer than a finger paints
const LAYERS = {
  missing: {
    how: "Paint over what should go: a stamp, a scratch, a stranger. What comes there is invented.",
    colour: () => "#e6007a",
  },
  grey: {
    how: "Paint a few strokes in the colour that a thing had. They are carried to the rest of it.",
    colour: () => $("colour").value,
  },
};
for (const [kind, layer] of Object.entries(LAYERS)) {
  layer.canvas = $(`layer-${kind}`);
  layer.pen = layer.canvas.getContext("2d", { willReadFrequently: true });
  layer.button = $(`paint-${kind}`);
}
let active = null; // the layer that is painted on
let stroke = null; // the one that is being drawn
let sending = Promise.resolve();

// Empty layers for a photo of that size
function unroll([width, height], grey) {
  const shrink = Math.min(SIDE / Math.max(width, height), 1);
  for (const layer of Object.values(LAYERS)) {
    layer.canvas.width = Math.max(Math.round(width * shrink), 1);
    layer.canvas.height = Math.max(Math.round(height * shrink), 1);
    Object.assign(layer, { strokes: [], changed: false, refused: false });
  }
  LAYERS.grey.button.hidden = !grey;
  stroke = null;
  use(null);
}

function use(layer) {
  active = layer;
  for (const one of Object.values(LAYERS)) {
    one.canvas.hidden = !one.strokes.length && one !== layer;
    one.canvas.classList.toggle("active", one === layer);
    one.button.setAttribute("aria-pressed", one === layer);
  }
  $("easel").classList.toggle("painted", layer !== null);
  $("tools").hidden = layer === null;
  $("how").textContent = layer?.how ?? "";
  $("which-colour").hidden = layer !== LAYERS.grey;
  $("eraser").checked = false;
}

// One stroke

function place(event) {
  const box = active.canvas.getBoundingClientRect();
  const scale = active.canvas.width / box.width;
  return [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
}

function draw({ pen, canvas }, { points, width, colour, erase }, from = 0) {
  if (!points) return pen.clearRect(0, 0, canvas.width, canvas.height);
  pen.globalCompositeOperation = erase ? "destination-out" : "source-over";
  Object.assign(pen, { lineCap: "round", lineWidth: width, strokeStyle: colour });
  for (let i = from; i < points.length; i++) {
    const [x, y] = points[i];
    pen.beginPath();
    pen.moveTo(...points[Math.max(i - 1, 0)]);
    pen.lineTo(i ? x : x + 0.01, y); // a line of no length would draw nothing
    pen.stroke();
  }
}

function down(event) {
  if (!active || stroke || !event.isPrimary || event.button || $("paint-missing").disabled) return;
  event.preventDefault();
  active.canvas.setPointerCapture(event.pointerId);
  const scale = active.canvas.width / active.canvas.getBoundingClientRect().width;
  const width = Math.max($("brush").value * scale, 1);
  stroke = { points: [place(event)], width, colour: active.colour(), erase: $("eraser").checked };
  draw(active, stroke);
}

function move(event) {
  if (!stroke || !event.isPrimary) return;
  stroke.points.push(place(event));
  draw(active, stroke, stroke.points.length - 1);
}

function up(event) {
  if (!stroke || !event.isPrimary) return;
  active.strokes.push(stroke);
  stroke = null;
  send(active);
}

function undo() {
  active.strokes.pop();
  draw(active, {});
  for (const one of active.strokes) draw(active, one);
  send(active);
}

function wipe() {
  active.strokes.push({}); // can be undone, too
  draw(active, {});
  send(active);
}

// To the server

function send(layer) {
  layer.changed = true;
  sending = sending.then(() => layer.changed && sent(layer));
}

async function sent(layer) {
  const mine = token;
  layer.changed = false;
  if (!mine) return;
  const { data } = layer.pen.getImageData(0, 0, layer.canvas.width, layer.canvas.height);
  const some = new Uint32Array(data.buffer).some((pixel) => pixel >>> 31); // alpha of a half or more
  const body = some ? await new Promise((done) => layer.canvas.toBlob(done, "image/png")) : "";
  const kind = Object.keys(LAYERS).find((one) => LAYERS[one] === layer);
  let line = "";
  try {
    if (mine === token) await ask(at(kind), { method: "POST", body });
  } catch (error) {
    line = error.message;
  }
  try {
    const now = mine === token && (await ask(at()));
    if (mine !== token) return;
    show(now);
  } catch (error) {
    if (mine === token) lost(error);
    return;
  }
  layer.refused = line !== "";
  complain(line);
  if (line && !stroke) $("error").scrollIntoView({ block: "nearest" });
  say(line ? "" : some ? "What is painted was taken: its switch is on." : "Nothing is painted there now.");
}

// Whether all that is painted was taken; what was not is sent again.
async function settled() {
  for (const layer of Object.values(LAYERS)) if (layer.refused) send(layer);
  await sending;
  return !Object.values(LAYERS).some((layer) => layer.refused);
}

for (const layer of Object.values(LAYERS)) {
  layer.button.addEventListener("click", () => stroke || use(active === layer ? null : layer));
  layer.canvas.addEventListener("pointerdown", down);
  layer.canvas.addEventListener("pointermove", move);
  layer.canvas.addEventListener("pointerup", up);
  layer.canvas.addEventListener("pointercancel", up);
}
$("undo").addEventListener("click", undo);
$("wipe").addEventListener("click", wipe);
$("brush").addEventListener("input", () =>
  $("brush").setAttribute("aria-valuetext", `${$("brush").value} pixels of the screen`),
);
unroll([1, 1], false);
