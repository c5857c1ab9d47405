"use strict";
(() => {
  const holder = document.getElementById("map-data");
  if (!holder) return;
  const data = JSON.parse(holder.textContent);
  const byId = (name) => document.getElementById("map-" + name);
  const canvas = byId("canvas"), card = byId("card"), thumb = byId("thumb"), stage = byId("stage");
  const layoutMenu = byId("layout"), colourMenu = byId("colour"), onlyWrong = byId("wrong");
  const PALETTE = ["#2f86d1", "#e07b00", "#2a9d6f", "#c94f9b", "#8a63d2", "#b8860b", "#d1495b", "#3b9c9c", "#7b8794", "#7a9a2e"];
  const RIGHT = "#2f86d1", WRONG = "#e0592a", UNKNOWN = "#8a94a0", REACH = 18, MARGIN = 18;
  const count = data.names.length;
  const view = { scale: 1, x: 0, y: 0 };
  let shown = -1, drag = null, order = [];

  const isWrong = (i) => data.truth[i] >= 0 && data.truth[i] !== data.guess[i];
  const className = (i) => (i < 0 ? "no label" : data.classes[i]);
  const percent = (value) => (value / 10).toFixed(1) + " %";
  const classColour = (i) => i < 0 ? UNKNOWN : i < PALETTE.length ? PALETTE[i] : `hsl(${(i * 137.508) % 360} 60% 52%)`;
  const colours = {
    class: (i) => classColour(data.truth[i]),
    right: (i) => (data.truth[i] < 0 ? UNKNOWN : isWrong(i) ? WRONG : RIGHT),
    sure: (i) => `hsl(${20 + 0.19 * data.sure[i]} 75% 50%)`,
  };

  const sheets = data.sheets.map((address) => {
    const sheet = new Image();
    sheet.addEventListener("load", () => { if (shown >= 0) drawThumb(shown); });
    sheet.src = address;
    return sheet;
  });

  for (const name of Object.keys(data.layouts)) layoutMenu.add(new Option(name, name));
  if (data.classes.length > PALETTE.length) colourMenu.value = "right";

  function framed([xs, ys]) {  // loops, because Math.max takes no array of any length
    let left = Infinity, right = -Infinity, low = Infinity, high = -Infinity;
    for (let i = 0; i < count; i++) {
      left = Math.min(left, xs[i]); right = Math.max(right, xs[i]);
      low = Math.min(low, ys[i]); high = Math.max(high, ys[i]);
    }
    return { x: (left + right) / 2, y: (low + high) / 2, width: Math.max(right - left, 1), height: Math.max(high - low, 1) };
  }
  const frames = Object.fromEntries(Object.entries(data.layouts).map(([name, plane]) => [name, framed(plane)]));

  function unit() {  // pixels of one step of the layout: the same along both axes, or distances would lie
    const frame = frames[layoutMenu.value], room = (size) => Math.max(size - 2 * MARGIN, 1);
    return view.scale * Math.min(room(canvas.clientWidth) / frame.width, room(canvas.clientHeight) / frame.height);
  }

  function placing() {  // measures the canvas once, and not for each of thousands of points
    const [xs, ys] = data.layouts[layoutMenu.value], frame = frames[layoutMenu.value], one = unit();
    const middle = { x: canvas.clientWidth / 2, y: canvas.clientHeight / 2 };
    return (i) => [middle.x + (xs[i] - frame.x - view.x) * one, middle.y - (ys[i] - frame.y - view.y) * one];
  }

  function draw() {
    const ratio = window.devicePixelRatio || 1, pen = canvas.getContext("2d"), place = placing();
    canvas.width = Math.round(canvas.clientWidth * ratio);
    canvas.height = Math.round(canvas.clientHeight * ratio);
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    const ink = getComputedStyle(canvas).color, colour = colours[colourMenu.value];
    const radius = count > 2000 ? 2.6 : count > 300 ? 3.6 : 5;
    order = [];
    for (const wrong of [false, true]) {  // mistakes are few, and stand on top
      for (let i = 0; i < count; i++) {
        if (isWrong(i) !== wrong || (onlyWrong.checked && !wrong)) continue;
        const [x, y] = place(i);
        order.push(i);
        pen.beginPath();
        pen.arc(x, y, wrong ? radius + 1.2 : radius, 0, 2 * Math.PI);
        pen.globalAlpha = wrong ? 1 : 0.72;
        pen.fillStyle = colour(i);
        pen.fill();
        if (wrong) { pen.lineWidth = 1.6; pen.strokeStyle = ink; pen.stroke(); }
      }
    }
    pen.globalAlpha = 1;
    if (shown >= 0) {
      const [x, y] = place(shown);
      pen.beginPath();
      pen.arc(x, y, radius + 6, 0, 2 * Math.PI);
      pen.lineWidth = 2.5; pen.strokeStyle = ink; pen.stroke();
    }
  }

  function nearest(x, y) {
    const place = placing();
    let best = -1, least = REACH * REACH;
    for (const i of order) {
      const [px, py] = place(i), far = (px - x) ** 2 + (py - y) ** 2;
      if (far <= least) { best = i; least = far; }
    }
    return best;
  }

  function drawThumb(i) {
    const slot = data.slots[i], sheet = slot < 0 ? null : sheets[Math.floor(slot / data.sheet)];
    thumb.hidden = !sheet;
    if (!sheet || !sheet.complete) return;
    const inside = slot % data.sheet;
    thumb.getContext("2d").drawImage(sheet, (inside % data.columns) * data.size, Math.floor(inside / data.columns) * data.size,
      data.size, data.size, 0, 0, thumb.width, thumb.height);
  }

  function show(i) {
    if (i === shown) return;
    shown = i;
    card.hidden = i < 0;
    if (i >= 0) {
      byId("name").textContent = data.names[i];
      byId("truth").textContent = data.truth[i] < 0 ? "no label" : "is " + className(data.truth[i]);
      byId("guess").textContent = (isWrong(i) ? "taken for " : "predicted ") + className(data.guess[i]) + ", " + percent(data.sure[i]);
      drawThumb(i);
    }
    draw();
    pin();
  }

  function pin() {
    if (shown >= 0) {
      const [x, y] = placing()(shown), room = (at, size, all) => Math.max(4, Math.min(at + 14 + size < all ? at + 14 : at - 14 - size, all - size - 4));
      card.style.left = room(x, card.offsetWidth, stage.clientWidth) + "px";
      card.style.top = room(y, card.offsetHeight, stage.clientHeight) + "px";
    }
  }

  function legend() {
    const keys = [];
    if (colourMenu.value === "right") keys.push(["right", RIGHT], ["wrong", WRONG]);
    else if (colourMenu.value === "sure") keys.push(["0 %", "hsl(20 75% 50%)"], ["50 %", "hsl(115 75% 50%)"], ["100 % sure", "hsl(210 75% 50%)"]);
    else if (data.classes.length <= PALETTE.length) data.classes.forEach((name, i) => keys.push([name, PALETTE[i]]));
    if (data.truth.some((label) => label < 0) && colourMenu.value !== "sure") keys.push(["no label", UNKNOWN]);
    const mark = document.createElement("span");
    mark.textContent = "ringed: a mistake";
    byId("legend").replaceChildren(...keys.map(([name, colour]) => {
      const key = document.createElement("span"), text = document.createElement("bdi");
      key.className = "key";
      key.style.setProperty("--key", colour);
      text.textContent = name;
      key.append(text);
      return key;
    }), mark);
    byId("note").textContent = data.notes[layoutMenu.value] || "";
  }

  function refresh() { shown = -1; card.hidden = true; legend(); draw(); }
  function zoom(factor) { view.scale = Math.max(1, Math.min(40, view.scale * factor)); if (view.scale === 1) { view.x = view.y = 0; } refresh(); }
  function at(event) { const box = canvas.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; }

  canvas.addEventListener("pointerdown", (event) => { drag = { x: event.clientX, y: event.clientY, view: { ...view } }; });
  window.addEventListener("pointerup", () => { drag = null; });
  canvas.addEventListener("pointermove", (event) => {
    if (drag && event.buttons && view.scale > 1) {
      view.x = drag.view.x - (event.clientX - drag.x) / unit();
      view.y = drag.view.y + (event.clientY - drag.y) / unit();
      refresh();
    } else show(nearest(...at(event)));
  });
  canvas.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse") show(-1); });
  canvas.addEventListener("click", (event) => show(nearest(...at(event))));
  canvas.addEventListener("wheel", (event) => { if (event.ctrlKey) { event.preventDefault(); zoom(event.deltaY < 0 ? 1.25 : 0.8); } }, { passive: false });
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (event.key === "Escape") show(-1);
    if (!step || !order.length) return;
    event.preventDefault();
    const now = order.indexOf(shown);
    show(order[now < 0 ? (step > 0 ? 0 : order.length - 1) : (now + step + order.length) % order.length]);
  });
  for (const menu of [layoutMenu, colourMenu, onlyWrong]) menu.addEventListener("change", refresh);
  byId("in").addEventListener("click", () => zoom(1.5));
  byId("out").addEventListener("click", () => zoom(1 / 1.5));
  byId("all").addEventListener("click", () => { view.scale = 1; view.x = view.y = 0; refresh(); });
  window.addEventListener("resize", () => { draw(); pin(); });
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  refresh();
})();
