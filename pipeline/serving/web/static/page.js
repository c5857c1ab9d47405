// Sends images one by one and shows what comes back. Names are only ever set as text.
"use strict";

const AT_A_TIME = 2;
const find = (selector, within = document) => within.querySelector(selector);
const waiting = [];
let about = null;
let sending = 0;
let answered = 0;
let asked = 0;

function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

function megabytes(bytes) {
  return `${Math.round(bytes / 2 ** 20)} MB`;
}

function percent(share) {
  return `${(100 * share).toFixed(2)} %`;
}

function complain(text) {
  const problem = find("#problem");
  problem.textContent = text;
  problem.hidden = !text;
}

async function introduce() {
  const response = await fetch("about");
  about = await response.json();
  const accuracy = about.val_accuracy === null ? "" : `, ${percent(about.val_accuracy)} right on validation images`;
  const calibrated = about.temperature === null ? "" : `, calibrated (temperature ${about.temperature.toFixed(3)})`;
  find("#about").textContent =
    `${about.head} on ${about.dataset}: ${about.classes} classes${accuracy}${calibrated}. ` +
    `Features: ${about.backbone}, ${about.layer}, ${about.image_size} pixels.`;
  const { files, file_bytes: each, total_bytes: total } = about.limits;
  find("#limits").textContent =
    `Up to ${files} files of ${megabytes(each)}, ${megabytes(total)} in all. ` +
    "Images are answered in memory and never stored.";
  find("#blind").textContent =
    about.familiarity === null
      ? "Whether an image is like those of the training is not known of this head."
      : "Images unlike all of the training are marked. A kind that it never learnt but that looks like a known one is not: " +
        "a fox may be answered as a dog.";
  const warning = find("#warning");
  warning.hidden = !about.random_filters;
  warning.textContent =
    "The filters of the base are random: it was never trained, so answers tell that everything works, not what is in the picture.";
}

function refusal(files) {
  const { files: most, total_bytes: total } = about.limits;
  if (files.length > most) return `${files.length} files at a time are too many: drop up to ${most}.`;
  const bytes = files.reduce((sum, file) => sum + file.size, 0);
  if (bytes > total) return `${megabytes(bytes)} at a time are too much: drop up to ${megabytes(total)}.`;
  return "";
}

async function take(list) {
  const files = [...list]; // now, because the list does not outlive the event
  if (!(await introduced)) return;
  if (!files.length) return complain("There was no file in what you dropped.");
  const refused = refusal(files);
  complain(refused);
  if (refused) return;
  const cards = files.map((file) => addCard(file));
  find("#answers").prepend(...cards);
  waiting.push(...files.map((file, i) => [file, cards[i]]));
  asked += files.length;
  tell();
  while (sending < AT_A_TIME && waiting.length) send();
}

function addCard(file) {
  const card = find("#card").content.cloneNode(true).firstElementChild;
  const picture = find(".picture img", card);
  picture.addEventListener("load", () => URL.revokeObjectURL(picture.src));
  picture.addEventListener("error", () => picture.replaceWith(make("div", "gone", "no preview")));
  picture.src = URL.createObjectURL(file);
  find("figcaption", card).textContent = file.name;
  return card;
}

async function send() {
  const [file, card] = waiting.shift();
  sending += 1;
  try {
    show(card, await ask(file));
  } catch (error) {
    fail(card, error.message);
  }
  sending -= 1;
  answered += 1;
  tell();
  if (waiting.length) send();
}

async function ask(file) {
  if (file.size > about.limits.file_bytes) {
    throw new Error(`the file has ${megabytes(file.size)}, the limit is ${megabytes(about.limits.file_bytes)}`);
  }
  let response;
  try {
    response = await fetch("predict", {
      method: "POST",
      headers: { "Content-Type": "application/octet-stream" },
      body: file,
    });
  } catch {
    throw new Error("the server does not answer, or the file cannot be read");
  }
  const answer = await response.json().catch(() => ({ error: "the server failed; see its terminal" }));
  if (!response.ok) throw new Error(answer.error);
  return answer;
}

function fail(card, text) {
  const state = find(".state", card);
  state.className = "state problem";
  state.textContent = `No answer: ${text}`;
}

function show(card, answer) {
  const state = find(".state", card);
  state.hidden = !answer.remark;
  state.textContent = answer.remark && `Mind: ${answer.remark}.`;
  const strange = find(".strange", card);
  strange.hidden = answer.familiar !== false;
  strange.textContent = strange.hidden ? "" : unlike(answer);
  const set = find(".set", card);
  set.hidden = answer.set === undefined;
  set.textContent = set.hidden ? "" : members(answer.set);
  offer(card, answer);
  find(".classes", card).replaceChildren(...answer.top.map(bar));
  find("h2", card).textContent = searched();
  find(".nearest ul", card).replaceChildren(...answer.nearest.map(neighbour));
  find(".nearest", card).hidden = !answer.nearest.length;
}

// What spoke for the first class, laid over the preview: orange for it, blue against.
function offer(card, { evidence, top }) {
  const picture = find(".picture img", card);
  const button = find(".why", card);
  if (!evidence || !picture) return;
  button.textContent = `What spoke for ${top[0].class}`;
  button.hidden = false;
  button.addEventListener("click", () => {
    const canvas = find("canvas", card);
    if (canvas.hidden && picture.naturalWidth) lay(evidence, canvas, picture);
    canvas.hidden = !canvas.hidden;
    button.setAttribute("aria-pressed", String(!canvas.hidden));
  });
}

function lay(evidence, canvas, picture) {
  const small = make("canvas");
  [small.width, small.height] = [evidence[0].length, evidence.length];
  const cells = small.getContext("2d").createImageData(small.width, small.height);
  evidence.flat().forEach((share, i) => {
    cells.data.set([...(share > 0 ? [255, 106, 0] : [0, 90, 255]), 255 * Math.abs(share)], 4 * i);
  });
  small.getContext("2d").putImageData(cells, 0, 0);
  canvas.width = 320; // of the picture's own proportions, so that both lie in the same place
  canvas.height = Math.max(1, Math.round((320 * picture.naturalHeight) / picture.naturalWidth));
  canvas.getContext("2d").drawImage(small, ...shown(canvas.width, canvas.height));
}

// The part of a picture that the base was shown: left, top, width, height.
function shown(width, height) {
  const { edge, keeps_ratio: keepsRatio } = about.geometry;
  const share = edge ? about.image_size / edge : 1;
  const [wide, high] = edge && keepsRatio ? Array(2).fill(share * Math.min(width, height)) : [share * width, share * height];
  return [(width - wide) / 2, (height - high) / 2, wide, high];
}

function unlike({ familiarity }) {
  const { threshold, rate, val_rows: rows } = about.familiarity;
  return (
    `Unlike anything this head was trained on: its familiarity is ${familiarity.toFixed(3)}, and only ` +
    `${percent(rate)} of ${rows.toLocaleString("en")} validation images are below ${threshold.toFixed(3)}. ` +
    "The classes below mean nothing."
  );
}

function members(set) {
  const held = set.length ? set.join(", ") : "no class reaches the least probability";
  return `Set that holds the true class in ${percent(about.coverage)} of the cases: ${held}`;
}

function searched() {
  const [some, all] = [about.searched, about.train_images].map((count) => count.toLocaleString("en"));
  const among = some === all ? `the ${all}` : `a sample of ${some} of the ${all}`;
  return `Most like it among ${among} training images (cosine of features)`;
}

function bar({ class: name, probability }) {
  const item = make("li");
  const label = make("span", "name", name);
  label.title = name;
  const track = make("div", "track");
  const fill = make("div", "fill");
  fill.style.width = `${100 * probability}%`;
  track.append(fill);
  item.append(label, track, make("span", "share", percent(probability)));
  return item;
}

function neighbour({ row, id, class: name, similarity, same }) {
  const item = make("li");
  item.title = id;
  const gone = make("div", "gone", "no picture");
  if (about.thumbnails) {
    const picture = make("img");
    picture.alt = id;
    picture.addEventListener("error", () => picture.replaceWith(gone));
    picture.src = `thumbnail/${row}`;
    item.append(picture);
  } else {
    item.append(gone);
  }
  const alike = same ? make("span", "same", "this very image") : make("span", "", similarity.toFixed(3));
  item.append(make("b", "", name === null ? "unlabelled" : name), alike);
  return item;
}

function tell() {
  find("#actions").hidden = !asked;
  find("#progress").textContent =
    answered < asked ? `${answered} of ${asked} answered` : `${asked} ${asked === 1 ? "image" : "images"}`;
}

function clear() {
  asked -= waiting.length + answered;
  answered = 0;
  waiting.length = 0;
  find("#answers").replaceChildren();
  complain("");
  tell();
}

const drop = find("#drop");
find("#files").addEventListener("change", (event) => {
  take(event.target.files);
  event.target.value = "";
});
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  drop.classList.add("over");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) drop.classList.remove("over");
});
document.addEventListener("drop", (event) => {
  event.preventDefault(); // else the browser would leave the page and open the file
  drop.classList.remove("over");
  take(event.dataTransfer.files);
});
document.addEventListener("paste", (event) => {
  if (event.clipboardData.files.length) take(event.clipboardData.files);
});
find("#clear").addEventListener("click", clear);
const introduced = introduce().then(
  () => true,
  () => complain("The server does not answer: is it still running?"),
);
