"use strict";
// One photo: sent, looked at, restored, saved. The server knows how far it is; this asks and shows.
const $ = (id) => document.getElementById(id);
const WORKING = ["looking", "previewing", "restoring", "writing"];
const WORDS = {
  looking: "Looking for what is wrong",
  previewing: "Restoring three parts",
  restoring: "Restoring",
  writing: "Writing the result",
};
const WAIT = 400; // milliseconds between two questions
let token = null; // of the photo that this tab holds
let waiting = null; // a file that another tab keeps out
let seen = {}; // what was last shown

async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Error("gdp_lite does not answer: was it stopped?");
  }
  if (!answer.ok) {
    const error = new Error((await answer.text()).trim());
    error.status = answer.status;
    throw error;
  }
  return answer.json();
}

const at = (what = "") => `photo/${token}${what && "/" + what}`;

function say(text) {
  if ($("status").textContent !== text) $("status").textContent = text;
}

function complain(text, other = false) {
  $("error").hidden = !text;
  $("error").firstElementChild.textContent = text;
  $("take").hidden = !other;
}

// A photo comes in

async function take(file, more = "") {
  if (token && seen.state === "restoring" && !confirm("Stop restoring, and take this photo?")) return;
  complain("");
  waiting = null;
  const most = Number(document.body.dataset.most);
  if (file.size > most) return complain(`${file.name}: at most ${(most / 1e6).toFixed(0)} MB are taken: that is no photo`);
  const instead = token ? `&instead=${token}` : "";
  clear();
  say(`Reading ${file.name}`);
  $("drop").classList.add("small");
  try {
    const query = `photo?name=${encodeURIComponent(file.name)}${instead}${more}`;
    token = (await ask(query, { method: "POST", body: file })).token;
    $("choose").textContent = "Choose another photo";
    seen.state = "looking";
    follow();
  } catch (error) {
    say("");
    if (error.status === 409) waiting = file;
    complain(error.message, error.status === 409);
    $("drop").classList.remove("small");
  }
  $("file").value = "";
}

function clear() {
  token = null;
  seen = {};
  for (const id of ["photo", "look", "result", "work"]) $(id).hidden = true;
  document.querySelectorAll(".finding").forEach((e) => e.remove());
  $("before").removeAttribute("src");
  unroll([1, 1], false);
  $("exposure").value = "";
  $("strength").value = "1";
  document.title = "Restore a photo";
}

// What the server says of it

async function follow() {
  const mine = token;
  while (mine && mine === token) {
    let now;
    try {
      now = await ask(at());
    } catch (error) {
      if (mine !== token) return;
      lost(error);
      return;
    }
    if (mine !== token) return;
    show(now);
    if (!WORKING.includes(now.state)) return;
    await new Promise((done) => setTimeout(done, WAIT));
  }
}

function lost(error) {
  $("work").hidden = true;
  say("");
  if (error.status === 410) token = null;
  enable(false);
  complain(error.message);
}

function show(now) {
  const working = WORKING.includes(now.state);
  if ($("photo").hidden) {
    $("photo").hidden = false;
    $("name").textContent = `${now.name}, ${now.size[0]} × ${now.size[1]}`;
    $("before").alt = `The photo ${now.name}`;
    $("before").src = at("before");
    unroll(now.size, now.grey);
  }
  $("choice").hidden = now.findings.length === 0;
  if (now.findings.length) find(now.findings);
  enable(!working);
  progress(now, working);
  if (now.error) complain(now.error);
  if (now.look && now.look.id !== seen.look) look(now.look);
  if (now.result && now.result.id !== seen.result) result(now.result, now);
  if (!now.result) $("result").hidden = true;
  if (!working && seen.state && seen.state !== now.state) ended(seen.state, now);
  seen.state = now.state;
}

function enable(on) {
  for (const e of $("choice").querySelectorAll("input, button")) e.disabled = !on;
}

function progress(now, working) {
  $("work").hidden = !working;
  if (!working) {
    document.title = "Restore a photo";
    return;
  }
  const share = now.state === "writing" ? null : now.share;
  const text = now.stopping ? "Stopping" : WORDS[now.state];
  $("doing").textContent = text;
  say(text);
  if (share === null) $("bar").removeAttribute("value");
  else $("bar").value = share;
  $("left").textContent =
    share === null || now.stopping ? "" : now.left ? `about ${now.left} left` : "measuring the time";
  $("cancel").disabled = now.stopping;
  $("cancel").hidden = now.state === "looking";
  document.title = share ? `${Math.round(100 * share)}%, ${text}` : text;
}

function ended(state, now) {
  const done = {
    looking: "What was found is listed.",
    previewing: now.look && "The preview is there.",
    restoring: now.result && "Restored. Compare, and save it.",
    writing: now.result && "Restored. Compare, and save it.",
  }[state];
  const stopped = state === "previewing" ? now.look?.id === seen.before : !now.result;
  say(now.error ? "" : stopped && state !== "looking" ? "Stopped. Nothing was changed." : done || "");
  const title = { previewing: "look-title", restoring: "result-title", writing: "result-title" }[state];
  if (title && !$(title).parentElement.hidden && !stopped && !now.error) {
    $(title).focus();
    $(title).scrollIntoView({ block: "start" });
  }
}

// A switch stays as a person has put it for as long as it stands for the same finding.
function find(findings) {
  const told = JSON.stringify(findings);
  if (told === seen.findings) return;
  seen.findings = told;
  const was = {};
  for (const box of document.querySelectorAll("#findings input")) was[box.dataset.line] = box.checked;
  document.querySelectorAll(".finding").forEach((e) => e.remove());
  for (const one of findings) {
    const row = document.createElement("div");
    row.className = "finding";
    const box = Object.assign(document.createElement("input"), {
      type: "checkbox", id: `kind-${one.kind}`, name: one.kind,
    });
    box.dataset.line = `${one.kind}: ${one.line}`;
    box.checked = was[box.dataset.line] ?? one.on;
    box.setAttribute("role", "switch");
    box.setAttribute("aria-describedby", `line-${one.kind}`);
    const label = Object.assign(document.createElement("label"), {
      htmlFor: box.id, textContent: one.kind,
    });
    const line = Object.assign(document.createElement("p"), {
      id: `line-${one.kind}`, textContent: one.line,
    });
    if (one.doubtful) line.append(". Undoing it may make the photo worse: compare.");
    row.append(box, label, line);
    $("findings").append(row);
  }
  if (!findings.some((one) => one.on)) {
    const line = document.createElement("p");
    line.className = "finding-none finding quiet";
    line.textContent = "Nothing is wrong that a person would see: the result would be a copy, bit for bit.";
    $("findings").append(line);
  }
}

// What a person wants

async function begin(what) {
  if (!$("choice").reportValidity() || !(await settled()) || $("restore").disabled) return;
  complain("");
  seen.before = seen.look;
  const kinds = [...document.querySelectorAll("#findings input:checked")].map((e) => e.name);
  const exposure = $("exposure").value === "" ? null : Number($("exposure").value);
  if (exposure && !kinds.includes("light")) {
    kinds.push("light");
    $("kind-light").checked = true;
  }
  const body = JSON.stringify({ kinds, exposure, strength: Number($("strength").value) });
  if (what === "restore") $("result").hidden = true;
  enable(false);
  try {
    await ask(at(what), { method: "POST", body });
    seen.state = what === "preview" ? "previewing" : "restoring";
    follow();
    if (document.activeElement === document.body) $("cancel").focus();
  } catch (error) {
    error.status === 410 ? lost(error) : (enable(true), complain(error.message));
  }
}

// Before and after

function pair(place, before, after, alt) {
  const view = document.createElement("div");
  view.className = "view";
  view.innerHTML =
    '<div class="inner"><div class="line"><span>photo</span><span>restored</span>' +
    '<input type="range" min="0" max="100" step="1" value="50" autocomplete="off"></div>' +
    '<div class="pair"><img><img></div></div>';
  const [below, above] = view.querySelectorAll("img");
  const line = view.querySelector(".line");
  const input = view.querySelector("input");
  Object.assign(below, { src: after, alt });
  Object.assign(above, { src: before, alt: "" });
  input.setAttribute("aria-label", "Compare photo with restored");
  const draw = () => {
    const both = view.querySelector(".pair");
    const width = Math.min(view.clientWidth, both.offsetWidth);
    const height = Math.min(view.clientHeight, both.offsetHeight);
    line.style.width = `${width}px`;
    line.style.height = `${height}px`;
    line.style.marginBottom = `${-height}px`;
    const shown = Math.min(Math.max(view.scrollLeft, 0), both.offsetWidth - width);
    both.style.setProperty("--cut", `${shown + (input.value / 100) * width}px`);
    input.setAttribute("aria-valuetext", `${input.value} percent photo`);
  };
  input.addEventListener("input", draw);
  view.addEventListener("scroll", draw);
  below.addEventListener("load", draw);
  new ResizeObserver(draw).observe(below);
  place.append(view);
  return view;
}

function look(found) {
  seen.look = found.id;
  $("look").hidden = false;
  $("look-text").textContent = found.kinds.length
    ? `Undone: ${found.kinds.join(", ")}. The whole would take about ${found.seconds}. Drag the lines, or use the arrow keys.`
    : "Nothing is undone: the result would be a copy.";
  $("parts").replaceChildren();
  found.names.forEach((name, number) => {
    const figure = document.createElement("figure");
    const words = document.createElement("figcaption");
    words.textContent = `${name}, at 100%`;
    const source = (way) => `${at(`part-${number}-${way}`)}?${found.id}`;
    const view = pair(figure, source("before"), source("after"), `${name} of the photo, restored`);
    view.querySelector("input").setAttribute("aria-label", `Compare photo with restored: ${name}`);
    figure.append(words);
    $("parts").append(figure);
  });
}

function result(found, now) {
  seen.result = found.id;
  $("result").hidden = false;
  $("lines").replaceChildren(
    ...found.lines.map((line) => Object.assign(document.createElement("li"), { textContent: line })),
  );
  $("save").href = `${at("result")}?${found.id}`;
  $("save").download = found.name;
  $("save").textContent = `Save ${found.name}`;
  $("whole").replaceChildren();
  $("full").checked = false;
  $("full").parentElement.hidden = !found.kinds.length;
  if (!found.kinds.length) return;
  const undone = `${now.name}, restored: ${found.kinds.join(", ")} undone`;
  pair($("whole"), at("before"), `${at("after")}?${found.id}`, undone);
}

function zoom() {
  const view = $("whole").firstElementChild;
  const full = $("full").checked;
  view.classList.toggle("full", full);
  full ? view.setAttribute("tabindex", "0") : view.removeAttribute("tabindex");
  full ? view.setAttribute("role", "group") : view.removeAttribute("role");
  full
    ? view.setAttribute("aria-label", "The photo at 100%: scroll it with the arrow keys")
    : view.removeAttribute("aria-label");
  for (const image of view.querySelectorAll("img")) {
    image.style.width = full ? `${image.naturalWidth / devicePixelRatio}px` : "";
  }
  if (full) view.scrollTo((view.scrollWidth - view.clientWidth) / 2, (view.scrollHeight - view.clientHeight) / 2);
  else view.scrollTo(0, 0);
}

// Events

$("file").addEventListener("change", () => $("file").files[0] && take($("file").files[0]));
$("take").addEventListener("click", () => waiting && take(waiting, "&take=1"));
$("preview").addEventListener("click", () => begin("preview"));
$("choice").addEventListener("submit", (event) => {
  event.preventDefault();
  begin("restore");
});
$("cancel").addEventListener("click", async () => {
  $("cancel").disabled = true;
  await ask(at("cancel"), { method: "POST" }).catch(lost);
});
$("full").addEventListener("change", zoom);
addEventListener("dragover", (event) => {
  event.preventDefault();
  $("drop").classList.add("over");
});
addEventListener("dragleave", () => $("drop").classList.remove("over"));
addEventListener("drop", (event) => {
  event.preventDefault();
  $("drop").classList.remove("over");
  const [file, ...more] = event.dataTransfer.files;
  if (file) take(file).then(() => more.length && say("One photo at a time: the first was taken."));
});
addEventListener("beforeunload", (event) => {
  if (seen.state === "restoring") event.preventDefault();
});
addEventListener("pagehide", () => token && navigator.sendBeacon(at("release")));
addEventListener("pageshow", (event) => event.persisted && location.reload());
