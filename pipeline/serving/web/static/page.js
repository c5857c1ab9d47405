// Sends images one by one and shows what comes back. Names are only ever set as text.
import { describe, find, make, show, warn } from "./answers.js";

const AT_A_TIME = 2;
const waiting = [];
let about = null;
let sending = 0;
let answered = 0;
let asked = 0;

function megabytes(bytes) {
  return `${Math.round(bytes / 2 ** 20)} MB`;
}

function complain(text) {
  const problem = find("#problem");
  problem.textContent = text;
  problem.hidden = !text;
}

async function introduce() {
  const response = await fetch("about");
  about = await response.json();
  find("#about").textContent = describe(about);
  const { files, file_bytes: each, total_bytes: total } = about.limits;
  find("#limits").textContent =
    `Up to ${files} files of ${megabytes(each)}, ${megabytes(total)} in all. ` +
    "Images are answered in memory and never stored.";
  find("#blind").textContent = warn(about);
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
    show(card, await ask(file), about);
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
