// Shows what a head says of an image: classes, labels or numbers. Names are only ever set as text.

const MOST_BARS = 20;
export const find = (selector, within = document) => within.querySelector(selector);

// What differs between heads: how many answers they know, what they are worth, and how an answer is shown.
const KINDS = {
  class: {
    told: ({ classes, val_accuracy: value }) =>
      `${classes} classes${value === null ? "" : `, ${percent(value)} right on validation images`}`,
    items: ({ top }) => top.map(bar),
    below: () => "",
    // What spoke for the first class.
    evidence: ({ evidence, top }) => (evidence ? [[`What spoke for ${top[0].class}`, evidence]] : []),
    mistaken: ": a fox may be answered as a dog.",
    meaningless: "The classes below mean nothing.",
    known: ({ class: name }) => (name === null ? "unlabelled" : name),
  },
  labels: {
    told: ({ labels, val_map: value }) =>
      `${labels} labels${value === null ? "" : `, mean average precision ${value.toFixed(3)} on validation images`}`,
    items: (answer) => listed(answer).map((name) => labelBar(name, answer)),
    below: (answer) => {
      const rest = Object.keys(answer.probabilities).length - listed(answer).length;
      const none = answer.labels.length ? "" : "None of the labels reaches its threshold. ";
      return none + (rest ? `Not shown, and below their thresholds: ${rest} less probable.` : "");
    },
    evidence: ({ evidence }) => named(evidence, (name) => `What spoke for ${name}`),
    mistaken: ": a fox may be answered as a dog.",
    meaningless: "The labels below mean nothing.",
    known: ({ labels }) => (labels === null ? "unlabelled" : labels.join(", ") || "none of the labels"),
  },
  number: {
    told: ({ numbers, val_r2: value }) =>
      `${numbers} ${numbers === 1 ? "number" : "numbers"}${value === null ? "" : `, R2 ${value.toFixed(3)} on validation images`}`,
    items: (answer) => Object.keys(answer.numbers).map((name) => number(name, answer)),
    below: () => "",
    evidence: ({ evidence }) => named(evidence, (name) => `What raised or lowered ${name}`),
    mistaken: ".",
    meaningless: "The numbers below mean nothing.",
    known: ({ numbers }) =>
      numbers === null
        ? "unknown"
        : Object.entries(numbers)
            .map(([name, value]) => `${name} ${short(value)}`)
            .join(", "),
  },
};

function kindOf(about) {
  return KINDS[about.target ?? "class"];
}

export function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

function percent(share) {
  return `${(100 * share).toFixed(2)} %`;
}

function short(value) {
  return String(Number(value.toPrecision(7)));
}

export function describe(about) {
  const calibrated = about.temperature === null ? "" : `, calibrated (temperature ${about.temperature.toFixed(3)})`;
  return (
    `${about.head} on ${about.dataset}: ${kindOf(about).told(about)}${calibrated}. ` +
    `Features: ${about.backbone}, ${about.layer}, ${about.image_size} pixels.`
  );
}

export function warn(about) {
  if (about.familiarity === null) return "Whether an image is like those of the training is not known of this head.";
  return (
    "Images unlike all of the training are marked. A kind that it never learnt but that looks like a known one is not" +
    kindOf(about).mistaken
  );
}

export function show(card, answer, about) {
  const kind = kindOf(about);
  const state = find(".state", card);
  state.hidden = !answer.remark;
  state.textContent = answer.remark && `Mind: ${answer.remark}.`;
  const strange = find(".strange", card);
  strange.hidden = answer.familiar !== false;
  strange.textContent = strange.hidden ? "" : unlike(answer, about);
  const set = find(".set", card);
  set.textContent = answer.set ? members(answer.set, about) : kind.below(answer);
  set.hidden = !set.textContent;
  offer(card, kind.evidence(answer), about);
  const list = find(".classes", card);
  list.classList.add(about.target ?? "class");
  list.replaceChildren(...kind.items(answer));
  find("h2", card).textContent = searched(about);
  find(".nearest ul", card).replaceChildren(...answer.nearest.map((one) => neighbour(one, about)));
  find(".nearest", card).hidden = !answer.nearest.length;
}

// Buttons, each of which lays a map over the preview: orange for the answer, blue against.
function offer(card, maps, about) {
  const picture = find(".picture img", card);
  const first = find(".why", card);
  const canvas = find("canvas", card);
  if (!maps.length || !picture) return;
  const buttons = maps.map((one, i) => (i ? first.cloneNode() : first));
  const press = (pressed) => {
    canvas.hidden = !pressed;
    for (const button of buttons) button.setAttribute("aria-pressed", String(button === pressed));
  };
  maps.forEach(([words, evidence], i) => {
    const button = buttons[i];
    button.textContent = words;
    button.hidden = false;
    button.addEventListener("click", () => {
      if (button.getAttribute("aria-pressed") === "true") return press(null);
      if (picture.naturalWidth) lay(evidence, canvas, picture, about);
      press(button);
    });
  });
  first.after(...buttons.slice(1));
}

function named(maps, words) {
  return Object.entries(maps ?? {}).map(([name, map]) => [words(name), map]);
}

function lay(evidence, canvas, picture, about) {
  const small = make("canvas");
  [small.width, small.height] = [evidence[0].length, evidence.length];
  const cells = small.getContext("2d").createImageData(small.width, small.height);
  evidence.flat().forEach((share, i) => {
    cells.data.set([...(share > 0 ? [255, 106, 0] : [0, 90, 255]), 255 * Math.abs(share)], 4 * i);
  });
  small.getContext("2d").putImageData(cells, 0, 0);
  canvas.width = 320; // of the picture's own proportions, so that both lie in the same place
  canvas.height = Math.max(1, Math.round((320 * picture.naturalHeight) / picture.naturalWidth));
  canvas.getContext("2d").drawImage(small, ...shown(canvas.width, canvas.height, about));
}

// The part of a picture that the base was shown: left, top, width, height.
function shown(width, height, about) {
  const { edge, keeps_ratio: keepsRatio } = about.geometry;
  const share = edge ? about.image_size / edge : 1;
  const [wide, high] = edge && keepsRatio ? Array(2).fill(share * Math.min(width, height)) : [share * width, share * height];
  return [(width - wide) / 2, (height - high) / 2, wide, high];
}

function unlike({ familiarity }, about) {
  const { threshold, rate, val_rows: rows } = about.familiarity;
  return (
    `Unlike anything this head was trained on: its familiarity is ${familiarity.toFixed(3)}, and only ` +
    `${percent(rate)} of ${rows.toLocaleString("en")} validation images are below ${threshold.toFixed(3)}. ` +
    kindOf(about).meaningless
  );
}

function members(set, about) {
  const held = set.length ? set.join(", ") : "no class reaches the least probability";
  return `Set that holds the true class in ${percent(about.coverage)} of the cases: ${held}`;
}

function searched(about) {
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

// All that are answered, and of the others the most probable.
function listed({ labels, probabilities }) {
  const others = Object.keys(probabilities).filter((name) => !labels.includes(name));
  others.sort((one, other) => probabilities[other] - probabilities[one]);
  return [...labels, ...others.slice(0, Math.max(0, MOST_BARS - labels.length))];
}

function labelBar(name, { labels, probabilities, thresholds }) {
  const item = bar({ class: name, probability: probabilities[name] });
  const mark = make("div", "threshold");
  mark.style.left = `${100 * Math.min(1, thresholds[name])}%`;
  mark.title = `answered from ${percent(thresholds[name])} on`;
  find(".track", item).append(mark);
  const has = labels.includes(name);
  item.classList.toggle("answered", has);
  item.append(make("span", "verdict", has ? "yes" : "no"));
  return item;
}

function number(name, { numbers, interval }) {
  const item = make("li");
  const label = make("span", "name", name);
  label.title = name;
  item.append(label, make("span", "value", short(numbers[name])));
  if (interval?.[name]) item.append(make("span", "interval", interval[name].map(short).join(" to ")));
  return item;
}

function neighbour(one, about) {
  const { row, id, similarity, same } = one;
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
  const known = make("b", "", kindOf(about).known(one));
  known.title = known.textContent;
  item.append(known, alike);
  return item;
}
