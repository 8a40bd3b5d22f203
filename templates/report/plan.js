
// Shows what lies in the page's data: boxes open a panel. Text is set as text, never as markup; nothing is loaded.
(() => {
  "use strict";
  const byId = (id) => document.getElementById(id);
  const data = JSON.parse(byId("data").textContent);
  const main = document.querySelector("main");
  const panel = byId("panel");
  const boxes = [...document.querySelectorAll(".box")];
  const places = boxes.map((box) => box.getAttribute("transform").match(/-?\d+/g).map(Number));
  let open = -1;

  // --- small helpers -------------------------------------------------------------------------------------------

  function make(tag, className, ...children) {
    const made = document.createElement(tag);
    if (className) made.className = className;
    made.append(...children.flat());
    return made;
  }
  function record(kind, values) {
    return Object.fromEntries(data.records[kind].map((field, n) => [field, values[n]]));
  }
  function amount(n) {
    return Number.isInteger(n) ? n.toLocaleString("en-US") : String(Number(n.toPrecision(4)));
  }
  function bytes(n) {
    const units = ["bytes", "kB", "MB", "GB", "TB", "PB", "EB"];
    const power = Math.min(Math.floor((String(n).length - 1) / 3), units.length - 1);
    return `${Number((n / 1000 ** power).toPrecision(4))} ${units[power]}`;
  }
  function table(columns, rows) {
    const numeric = columns.map((_, n) => rows.length > 0 && rows.every((row) => typeof row[n] === "number"));
    const cell = (tag, content, n) => {
      const made = make(tag, numeric[n] ? "n" : "", typeof content === "number" ? amount(content) : content);
      if (tag === "th") made.scope = "col";
      return made;
    };
    return make("div", "scroll", make("table", "",
      make("thead", "", make("tr", "", columns.map((name, n) => cell("th", name, n)))),
      make("tbody", "", rows.map((row) => make("tr", "", row.map((content, n) => cell("td", content, n)))))));
  }
  function section(title, ...content) {
    return make("section", "", make("h3", "", title), ...content);
  }
  function goto(step, text) {
    const made = make("a", "", text);
    made.href = `#s${step}`;
    return made;
  }

  // --- names ---------------------------------------------------------------------------------------------------

  const owners = new Map(); // place -> value -> the step that computes it
  function ownersOf(place) {
    if (!owners.has(place)) owners.set(place, new Map());
    return owners.get(place);
  }
  data.steps.forEach((step, n) => {
    if (step.place === undefined) return;
    const ops = data.regions[data.places[step.place].region].ops;
    const found = ownersOf(step.place);
    for (const node of nodesOf(kernelOf(step))) for (const v of ops[node].outputs) if (!found.has(v)) found.set(v, n);
  });
  const users = data.tensors.map(() => []);
  data.steps.forEach((step, n) => {
    for (const t of new Set(step.reads)) users[t].push(n);
  });
  function kernelOf(step) {
    return data.regions[data.places[step.place].region].kernels[step.kernel];
  }
  function nodesOf(kernel) {
    return [...new Set(kernel.parts.flatMap((part) => part.nodes))];
  }
  function nameOf(place, value) {
    return `%${data.places[place].names[value]}`;
  }
  function valueText(place, value) {
    return make("code", "", nameOf(place, value));
  }
  function mixed(place, parts, here) {
    return parts.map((part) => {
      if (typeof part === "string") return part;
      const step = ownersOf(place).get(part);
      return step === undefined || step === here ? valueText(place, part) : goto(step, nameOf(place, part));
    });
  }
  function plain(place, parts) {
    return parts.map((part) => (typeof part === "string" ? part : nameOf(place, part))).join("");
  }

  // --- the panel -----------------------------------------------------------------------------------------------

  function show(n, focus) {
    if (!boxes[n]) return;
    if (open >= 0) boxes[open].setAttribute("aria-expanded", "false");
    open = n;
    boxes[n].setAttribute("aria-expanded", "true");
    const step = data.steps[n];
    byId("panel-title").textContent = `${n}: ${step.name}`;
    byId("panel-body").replaceChildren(...(step.place === undefined ? callBody(step) : kernelBody(step, n)));
    panel.hidden = false;
    panel.scrollTop = 0;
    main.classList.add("open");
    cover();
    rove(n);
    hot(n);
    history.replaceState(null, "", `#s${n}`);
    refit();
    reveal(n);
    if (focus) byId("panel-title").focus({ preventScroll: true });
  }
  function cover() {
    const covered = open >= 0 && window.matchMedia("(max-width: 900px)").matches; // as in the style sheet
    for (const part of document.querySelectorAll("header, .bar, .graph")) part.inert = covered;
  }
  function close() {
    if (open < 0) return;
    const box = boxes[open];
    box.setAttribute("aria-expanded", "false");
    open = -1;
    panel.hidden = true;
    main.classList.remove("open");
    cover();
    refit();
    history.replaceState(null, "", location.pathname + location.search);
    box.focus();
  }
  function callBody(step) {
    return [
      make("p", "", "Library call: a library runs it, its time is not predicted."),
      make("p", "code", step.text),
      passing(step),
    ];
  }
  function kernelBody(step, n) {
    const kernel = kernelOf(step);
    const region = data.places[step.place].region;
    const equal = data.places.filter((place) => place.region === region).length;
    const words = `${kernel.scheme} scheme, ${amount(kernel.blocks)} blocks of ${kernel.threads} threads, `
      + `${amount(kernel.us)} us, bound by ${kernel.bound}.`;
    const body = [make("p", "", words)];
    if (equal > 1) {
      body.push(make("p", "quiet", `${equal} equal regions of the model share this plan; names are those of this place.`));
    }
    body.push(section("Predicted time", terms(kernel)), section("Resources", resources(kernel)));
    kernel.parts.forEach((part, p) => {
      const title = kernel.parts.length > 1 ? `Part ${p + 1} of ${kernel.parts.length}: ` : "";
      body.push(section(`${title}${part.words}`, ...partBody(step, part, kernel)));
    });
    body.push(section("Tensors in and out", passing(step)), section("Ops and code", code(step, kernel)));
    const told = data.regions[region].decisions.filter((d) => concerns(d, step, kernel));
    body.push(section("Decisions", told.length ? decisionList(told, step.place, n) : make("p", "", "None names this kernel.")));
    return body;
  }
  function terms(kernel) {
    const most = Math.max(kernel.us, ...Object.values(kernel.terms));
    return make("ul", "terms", Object.entries(kernel.terms).sort((a, b) => b[1] - a[1]).map(([name, us]) => {
      const binds = name === kernel.bound;
      const fill = make("span", "fill");
      fill.style.width = `${most ? (100 * us) / most : 0}%`;
      return make("li", binds ? "binds" : "", make("span", "", name), make("span", "track", fill),
        make("span", "", `${amount(us)} us${binds ? ", binds" : ""}`));
    }));
  }
  function resources(kernel) {
    const pairs = [
      ["registers a thread, estimated", amount(kernel.registers)],
      ["shared memory a block", `${amount(kernel.shared)} bytes`],
      ["occupancy", `${Math.round(100 * kernel.occupancy)} %`],
      ["blocks an SM", amount(kernel.blocks_per_sm)],
      ["blocks an SM asked of the compiler", amount(kernel.min_blocks)],
      ["bytes moved", bytes(kernel.bytes)],
      ["floor", bytes(kernel.bytes_min)],
      ["through the L2 besides", bytes(kernel.l2_bytes)],
    ];
    return make("dl", "pairs", pairs.map(([name, value]) => make("div", "", make("dt", "", name), make("dd", "", value))));
  }
  function partBody(step, part, kernel) {
    const name = (v) => valueText(step.place, v);
    const ops = data.regions[data.places[step.place].region].ops;
    const opName = (node) => `${nameOf(step.place, ops[node].outputs[0])} = ${ops[node].name}`;
    const body = [];
    if (kernel.parts.length > 1) body.push(make("p", "", `${amount(part.blocks)} blocks`));
    const lay = (title, columns, rows) => rows.length && body.push(make("h4", "", title), table(columns, rows));
    lay("Placement: digits of each axis, innermost first",
      data.records.axes, part.axes);
    lay("Groups", ["root", "kind", "phase", "ops"], part.groups.map((values) => {
      const g = record("groups", values);
      return [name(g.root), g.kind, g.phase, make("span", "code", g.ops.map(opName).join(", "))];
    }));
    lay("Carriers", ["value", "user", "scheme", "carrier", "bytes", "where they disagree"], part.edges.map((values) => {
      const e = record("edges", values);
      return [name(e.value), e.user < 0 ? "a later phase" : make("code", "", opName(e.user)), e.scheme, e.carrier, e.bytes, e.why];
    }));
    lay("Held for later phases", ["value", "axes", "carrier", "elements a thread"], part.holds.map((values) => {
      const h = record("holds", values);
      return [name(h.value), h.axes, h.carrier, h.elements];
    }));
    lay("Accesses", ["value", "mode", "vector", "run", "bytes", "L2 besides"], part.accesses.map((values) => {
      const a = record("accesses", values);
      return [name(a.value), a.mode, a.vector, a.run, a.bytes, a.l2];
    }));
    return body;
  }
  function passing(step) {
    const ends = (steps, none) => (steps.length ? steps.flatMap((n, k) => [k ? ", " : "", goto(n, `${n}: ${data.steps[n].name}`)]) : [none]);
    const rows = (list, reads) => [...new Set(list)].map((t) => {
      const tensor = record("tensors", data.tensors[t]);
      const far = reads
        ? ends(tensor.source < 0 ? [] : [tensor.source], "outside")
        : ends(users[t], "nobody").concat(tensor.result ? [users[t].length ? ", a result of the model" : " else: a result of the model"] : []);
      return [reads ? "in" : "out", make("code", "", `%${tensor.name}`), make("code", "", tensor.type), bytes(tensor.bytes), make("span", "", far)];
    });
    return table(["", "tensor", "type", "size", "from or to"], [...rows(step.reads, true), ...rows(step.writes, false)]);
  }

  // --- ops beside code -----------------------------------------------------------------------------------------

  function code(step, kernel) {
    const ops = data.regions[data.places[step.place].region].ops;
    const query = byId("query").value.trim().toLowerCase();
    const list = make("ul", "ops", nodesOf(kernel).map((node) => {
      const text = plain(step.place, ops[node].text);
      const button = make("button", `code${query && text.toLowerCase().includes(query) ? " found" : ""}`, text);
      button.type = "button";
      button.dataset.values = ops[node].outputs.join(" ");
      button.setAttribute("aria-pressed", "false");
      return make("li", "", button);
    }));
    if (kernel.source < 0) {
      return make("div", "", make("p", "", "The text of this kernel is not in the page, which is bounded; `fstc codegen` writes it."), list);
    }
    const source = data.sources[kernel.source];
    const pre = make("pre", "", source.lines.map((text, n) => {
      const value = kernel.lines[n];
      const line = make("span", "line", make("span", "number", String(n + 1)), text);
      if (value >= 0) {
        line.dataset.values = value;
        line.append(make("span", "of", `  // ${nameOf(step.place, value)}`));
      }
      return line;
    }));
    pre.tabIndex = 0;
    pre.setAttribute("aria-label", `CUDA text of ${source.file}`);
    const side = make("div", "side", list, pre);
    const light = (values, pressed, into) => {
      let first = null;
      for (const item of side.querySelectorAll("[data-values]")) {
        const lit = item.dataset.values.split(" ").some((v) => values.includes(v));
        item.classList.toggle("lit", lit);
        if (item.tagName === "BUTTON") item.setAttribute("aria-pressed", String(lit && item === pressed));
        if (lit && item.parentNode === into) first = first || item;
      }
      if (first) into.scrollTop = first.offsetTop - into.offsetTop - into.clientHeight / 3;
    };
    side.addEventListener("click", (event) => {
      const item = event.target.closest("[data-values]");
      if (!item) return;
      const again = item.getAttribute("aria-pressed") === "true";
      light(again ? [] : item.dataset.values.split(" "), item, item.tagName === "BUTTON" ? pre : null);
    });
    return make("div", "", make("p", "quiet", `${source.file}; press an op to mark its lines.`), side);
  }

  // --- decisions -----------------------------------------------------------------------------------------------

  function concerns(decision, step, kernel) {
    const d = record("decisions", decision);
    const ops = data.regions[data.places[step.place].region].ops;
    const made = new Set(nodesOf(kernel).flatMap((node) => ops[node].outputs));
    return [...d.left, ...d.right].some((part) => typeof part === "number" && made.has(part));
  }
  function decisionList(decisions, place, here) {
    const item = (values) => {
      const d = record("decisions", values);
      const [meaning, text] = data.codes[d.code] || ["", ""];
      const right = d.right.length ? [d.joined ? " with " : " from ", ...mixed(place, d.right, here)] : [];
      const gain = d.gain ? `, ${d.gain > 0 ? "gains" : "would lose"} ${amount(Math.abs(d.gain))} us` : "";
      const made = make("li", "",
        make("span", "verdict", `${d.code} ${d.joined ? "joined" : "apart"}: `), ...mixed(place, d.left, here), ...right, gain,
        make("p", "", ...mixed(place, d.reason, here)));
      const termRows = Object.entries(d.terms).map(([name, us]) => [name, `${us > 0 ? "+" : ""}${amount(us)}`]);
      if (termRows.length) made.append(make("h4", "", "Terms of the score"), table(["term", "microseconds"], termRows));
      const limitRows = Object.entries(d.limits).map(([name, [need, limit]]) => [name, need, limit, limit - need]);
      if (limitRows.length) made.append(make("h4", "", "Limits"), table(["resource", "needs", "has", "left"], limitRows));
      if (d.path.length) {
        const path = d.path.flatMap((value, n) => [n ? " → " : "", ...mixed(place, value, here)]);
        made.append(make("h4", "", "The way round"), make("p", "", path));
      }
      if (meaning) made.append(make("details", "", make("summary", "", `${d.code}: ${meaning}`), make("p", "long", text)));
      return made;
    };
    const list = make("ul", "decisions");
    const more = make("button", "");
    more.type = "button";
    let shown = 0;
    const grow = () => {
      list.append(...decisions.slice(shown, shown + 100).map(item));
      shown = Math.min(shown + 100, decisions.length);
      more.hidden = shown === decisions.length;
      more.textContent = `${amount(decisions.length - shown)} more`;
    };
    more.addEventListener("click", grow);
    grow();
    return make("div", "", list, more);
  }
  function allDecisions() {
    const body = document.querySelector("#decisions .body");
    data.regions.forEach((region, r) => {
      const place = data.places.findIndex((p) => p.region === r);
      if (place < 0 || !region.decisions.length) return;
      const first = data.steps.findIndex((step) => step.place === place);
      body.append(make("h3", "", `Region ${r + 1}, from launch `, goto(first, String(first))), decisionList(region.decisions, place, -1));
    });
    if (!body.childElementCount) body.append(make("p", "", "There was nothing to decide."));
  }
  const joined = data.regions.flatMap((region) => region.decisions).filter((d) => record("decisions", d).joined).length;
  const all = data.regions.reduce((sum, region) => sum + region.decisions.length, 0);
  document.querySelector("#decisions summary").textContent = `Decisions (${amount(joined)} joined, ${amount(all - joined)} apart)`;
  byId("decisions").addEventListener("toggle", allDecisions, { once: true });

  // --- moving around -------------------------------------------------------------------------------------------

  function rove(n) {
    boxes.forEach((box, k) => box.setAttribute("tabindex", k === n ? "0" : "-1"));
  }
  function hot(n) {
    for (const path of document.querySelectorAll(".links .hot")) path.classList.remove("hot");
    for (const path of document.querySelectorAll(`.links .s${n}`)) path.classList.add("hot");
  }
  function beside(n, down) {
    const [x, y] = places[n];
    const rest = boxes.map((_, k) => k).filter((k) => (down ? places[k][1] > y : places[k][1] < y));
    rest.sort((a, b) => Math.abs(places[a][1] - y) - Math.abs(places[b][1] - y) || Math.abs(places[a][0] - x) - Math.abs(places[b][0] - x) || a - b);
    return rest.length ? rest[0] : n;
  }
  function visit(n) {
    rove(n);
    boxes[n].focus({ preventScroll: true });
    reveal(n);
  }
  function reveal(n) {
    const { top, bottom } = boxes[n].getBoundingClientRect();
    const covered = document.querySelector(".bar").getBoundingClientRect().bottom;
    const hidden = top < Math.max(covered, 0) || bottom > window.innerHeight;
    boxes[n].scrollIntoView({ block: hidden ? "center" : "nearest", inline: "nearest" });
  }
  const moves = {
    ArrowDown: (n) => beside(n, true),
    ArrowUp: (n) => beside(n, false),
    ArrowRight: (n) => Math.min(n + 1, boxes.length - 1),
    ArrowLeft: (n) => Math.max(n - 1, 0),
    Home: () => 0,
    End: () => boxes.length - 1,
  };
  const graph = byId("graph");
  if (graph) {
    graph.addEventListener("keydown", (event) => {
      const n = boxes.indexOf(event.target);
      if (n < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === "Enter" || event.key === " ") show(n, true);
      else if (moves[event.key]) visit(moves[event.key](n));
      else return;
      event.preventDefault();
    });
    graph.addEventListener("click", (event) => {
      const box = event.target.closest(".box");
      if (box) show(boxes.indexOf(box), true);
    });
    graph.addEventListener("pointerover", (event) => {
      const box = event.target.closest(".box");
      if (!box || box.querySelector("title")) return;
      const title = document.createElementNS(box.namespaceURI, "title");
      title.textContent = box.getAttribute("aria-label");
      box.prepend(title);
    });
    graph.addEventListener("focusin", (event) => hot(boxes.indexOf(event.target)));
  }
  byId("close").addEventListener("click", close);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && event.target.id !== "query") close();
    if (event.key === "/" && event.target.tagName !== "INPUT") {
      byId("query").focus();
      event.preventDefault();
    }
  });
  window.addEventListener("hashchange", () => fromHash(true));
  function fromHash(focus) {
    const match = location.hash.match(/^#s(\d+)$/);
    if (match) show(Number(match[1]), focus);
  }

  // --- search --------------------------------------------------------------------------------------------------

  let index = null;
  let found = [];
  function words(step) {
    const tensors = [...step.reads, ...step.writes].map((t) => `%${data.tensors[t][0]}`);
    if (step.place === undefined) return [step.name, ...tensors].join("\n").toLowerCase();
    const kernel = kernelOf(step);
    const ops = data.regions[data.places[step.place].region].ops;
    const inner = nodesOf(kernel).flatMap((node) => [ops[node].name, ...ops[node].outputs.map((v) => nameOf(step.place, v))]);
    return [step.name, kernel.name, ...tensors, ...inner].join("\n").toLowerCase();
  }
  function search() {
    const query = byId("query").value.trim().toLowerCase();
    index = index || data.steps.map(words);
    found = query ? boxes.map((_, n) => n).filter((n) => index[n].includes(query)) : [];
    const hits = new Set(found);
    boxes.forEach((box, n) => box.classList.toggle("dim", query !== "" && !hits.has(n)));
    byId("found").textContent = query ? `${found.length} of ${boxes.length} launches; Enter goes to the first` : "";
    if (found.length) reveal(found[0]);
  }
  byId("query").addEventListener("input", search);
  byId("query").addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.target.value = "";
    search();
    event.preventDefault();
  });
  byId("search").addEventListener("submit", (event) => {
    event.preventDefault();
    if (found.length) visit(found[0]);
  });

  // --- size of the graph ---------------------------------------------------------------------------------------

  let scale = 0; // of the reader's own choice; 0: as wide as there is room, and large enough to be read
  const full = graph ? ["width", "height"].map((name) => Number(graph.getAttribute(name))) : [];
  function resize(wanted) {
    const factor = Math.min(2, Math.max(0.15, wanted));
    graph.setAttribute("width", String(Math.round(full[0] * factor)));
    graph.setAttribute("height", String(Math.round(full[1] * factor)));
    return factor;
  }
  function room() {
    return Math.min(1, (graph.parentNode.clientWidth || full[0]) / full[0]);
  }
  function refit() {
    if (!graph || scale) return;
    resize(Math.max(0.75, room()));
    const frame = graph.parentNode;
    frame.scrollLeft = (frame.scrollWidth - frame.clientWidth) / 2; // rows are centred
  }
  function zoom(by) {
    scale = resize((scale || Number(graph.getAttribute("width")) / full[0]) * by);
  }
  if (graph) {
    byId("smaller").addEventListener("click", () => zoom(1 / 1.25));
    byId("larger").addEventListener("click", () => zoom(1.25));
    byId("fit").addEventListener("click", () => {
      scale = resize(room());
    });
    window.addEventListener("resize", () => {
      cover();
      refit();
    });
    refit();
  }
  fromHash(false);
})();
