(() => {
  const byId = (name) => document.getElementById("gallery-" + name);
  const shots = [...document.querySelectorAll("#gallery-groups .shot")];
  if (!shots.length) return;
  const classMenu = byId("class"), answerMenu = byId("answer"), sureMenu = byId("sure"), large = byId("large");
  let current = -1;

  const menus = [classMenu, answerMenu, sureMenu].filter(Boolean);  // a page of labels has only the first, one of numbers none
  const namesOf = ({ dataset: { names, truth, guess } }) => new Set(names ? JSON.parse(names) : [truth, guess].filter(Boolean));

  function fillMenu() {
    const counts = new Map();
    for (const shot of shots) for (const name of namesOf(shot)) counts.set(name, (counts.get(name) || 0) + 1);
    for (const [name, count] of [...counts].sort(([a], [b]) => a.localeCompare(b))) classMenu.add(new Option(`${name} (${count})`, name));
    for (const menu of menus) menu.addEventListener("change", filter);
    byId("controls").addEventListener("submit", (event) => event.preventDefault());
    byId("controls").hidden = false;
    filter();
  }

  function filter() {
    const name = classMenu.value, answer = answerMenu?.value, [low, high] = (sureMenu?.value ?? "0 1.01").split(" ").map(Number);
    const all = !name && !answer && low === 0 && high > 1;
    let shown = 0;
    for (const shot of shots) {
      const { answer: said, sure } = shot.dataset;
      shot.hidden = (name && !namesOf(shot).has(name)) || (answer && said !== answer) || Number(sure) < low || Number(sure) >= high;
      shown += !shot.hidden;
    }
    for (const group of document.querySelectorAll("#gallery-groups .group")) {
      group.hidden = !all && !group.querySelector(".shot:not([hidden])");
      for (const more of group.querySelectorAll("details")) more.open = !all && Boolean(more.querySelector(".shot:not([hidden])"));
    }
    byId("count").textContent = all ? "" : `${shown} of the ${shots.length} images here`;
  }

  const visible = () => shots.filter((shot) => shot.querySelector(".enlarge") && shot.checkVisibility());

  function show(shot) {
    const among = visible(), place = among.indexOf(shot);
    current = shots.indexOf(shot);
    byId("image").src = shot.querySelector("img").src;
    byId("caption").replaceChildren(...[...shot.querySelector("figcaption").children].map((part) => part.cloneNode(true)));
    byId("place").textContent = `${place + 1} of ${among.length}`;
    if (!large.open) large.showModal();
  }

  function move(step) {
    const among = visible();
    if (among.length) show(among[(among.indexOf(shots[current]) + step + among.length) % among.length]);
  }

  if (classMenu) fillMenu();

  if (!large) return;  // there are no pictures
  byId("groups").addEventListener("click", (event) => {
    const link = event.target.closest(".enlarge");
    if (!link || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    show(link.closest(".shot"));
  });
  large.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    move(step);
  });
  large.addEventListener("click", (event) => { if (event.target === large) large.close(); });  // beside it
  large.addEventListener("close", () => { if (current >= 0) shots[current].querySelector(".enlarge").focus(); });
  byId("back").addEventListener("click", () => move(-1));
  byId("on").addEventListener("click", () => move(1));
  byId("close").addEventListener("click", () => large.close());
})();
