"use strict";
{
  const data = JSON.parse(document.getElementById("data").textContent);
  const cards = [...document.querySelectorAll(".look")];
  const memory = `labels ${data.key}`;
  const history = [];
  let decided = {}, current = 0;

  const recall = () => {
    try { decided = JSON.parse(localStorage.getItem(memory)) || {}; } catch { /* this browser keeps nothing */ }
  };

  const remember = () => {
    try { localStorage.setItem(memory, JSON.stringify(decided)); } catch { /* as above */ }
  };

  const said = (what, i) => what === "keep" ? "kept" : what === "drop" ? "dropped" : what === "change" ? data.items[i].change : `is ${data.names[what]}`;

  const show = () => {
    cards.forEach((card, i) => {
      const what = decided[i];
      card.classList.toggle("decided", what !== undefined);
      card.classList.toggle("current", i === current);
      card.querySelector(".said").textContent = what === undefined ? "" : said(what, i);
      const choice = card.querySelector("select");
      if (choice) choice.value = typeof what === "number" ? String(what) : "";
    });
    const done = Object.keys(decided).length;
    document.getElementById("counts").textContent = `${done} of ${cards.length} decided`;
  };

  const go = (to) => {
    current = Math.max(0, Math.min(cards.length - 1, to));
    show();
    cards[current].focus({ preventScroll: true });
    cards[current].scrollIntoView({ block: "nearest" });
  };

  // Only a decision is ever written: a page that was merely opened must not put its own state over another's.
  const set = (i, what) => {
    if (what === undefined) delete decided[i]; else decided[i] = what;
    remember();
  };

  const decide = (i, what) => {
    history.push([i, decided[i]]);
    set(i, what);
    go(what === undefined ? i : i + 1);
  };

  // Decisions of an earlier visit are undone where one stands.
  const undo = () => {
    const [i, before] = history.pop() || [current, undefined];
    set(i, before);
    go(i);
  };

  // A class is decided by its place; of several labels the one that is asked about is changed.
  const suggested = (i) => Array.isArray(data.items[i].suggested) ? "change" : data.items[i].suggested;

  cards.forEach((card, i) => {
    const choice = card.querySelector("select");
    if (choice) {
      choice.append(new Option("", ""), ...data.names.map((name, label) => new Option(name, String(label))));
      choice.addEventListener("change", () => decide(i, choice.value === "" ? undefined : Number(choice.value)));
    }
    card.addEventListener("focus", () => { current = i; show(); });
    card.querySelectorAll("button").forEach((button) => button.addEventListener("click", () =>
      decide(i, button.dataset.does === "change" ? suggested(i) : button.dataset.does)));
  });

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.tagName === "SELECT" || !cards.length) return;
    const key = event.key.toLowerCase();
    if (key === "k") decide(current, "keep");
    else if (key === "c" && suggested(current) !== null) decide(current, suggested(current));
    else if (key === "d") decide(current, "drop");
    else if (key === "u") undo();
    else if (key === "arrowdown" || key === "arrowright") go(current + 1);
    else if (key === "arrowup" || key === "arrowleft") go(current - 1);
    else return;
    event.preventDefault();
  });

  const quoted = (text) => /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;

  // How the table tells what is known of an image, by its form; values are as the page holds them.
  const forms = {
    class: (label) => [label < 0 ? "" : data.classes[label]],
    list: (marks) => {
      const held = data.classes.filter((_, i) => marks[i] === "1");
      return [/^\?*$/.test(marks) ? "" : held.length ? held.join(data.separator) : data.separator];
    },
    marks: (marks) => [...marks].map((mark) => mark === "?" ? "" : mark),
    cells: (cells) => cells,
  };

  const table = () => {
    const values = data.values || data.rows.map((row) => row[1]), dropped = new Set(), changed = [...values];
    for (const [i, what] of Object.entries(decided)) {
      for (const row of data.items[i].rows) {
        if (what === "drop") dropped.add(row);
        else if (typeof what === "number") changed[row] = what;
        else if (what === "change") {
          const [part, mark] = data.items[i].suggested;
          changed[row] = changed[row].slice(0, part) + mark + changed[row].slice(part + 1);
        }
      }
    }
    const lines = data.rows.map(([path, , split, group], row) =>
      [path, ...forms[data.form || "class"](changed[row]), data.splits[split], group].map(quoted).join(","));
    const head = (data.head || ["path", "label", "split", "group"]).map(quoted).join(",");
    return [head, ...lines.filter((_, row) => !dropped.has(row)), ""].join("\n");
  };

  const save = document.getElementById("save");
  if (save) save.addEventListener("click", () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([table()], { type: "text/csv" }));
    link.download = "relabel.csv";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });

  // Another window with this page decided something.
  addEventListener("storage", (event) => { if (event.key === memory) { recall(); show(); } });

  recall();
  show();
}
