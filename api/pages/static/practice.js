// What the pages add where scripts run. Without this file every form still works; nothing of an answer leaves the origin.
const HISTORY = "grader.history";
// The questions that were seen in each interview, for those of them that were skipped.
const RUNS = "grader.runs";
const DRAFT = "grader.draft.";
const MOST_KEPT = 500;
const MOST_RUNS = 50;

const read = (name, fallback) => {
  try {
    return JSON.parse(localStorage.getItem(name)) ?? fallback;
  } catch {
    return fallback;
  }
};
const write = (name, value) => {
  try {
    localStorage.setItem(name, JSON.stringify(value));
  } catch {
    // A browser that keeps nothing still grades.
  }
};
const percent = (score) => `${Math.round(score * 100)} %`;

function answering(form) {
  const field = form.elements.candidate_answer;
  const count = document.getElementById("count");
  const status = document.getElementById("status");
  const results = document.getElementById("results");
  const draft = DRAFT + form.dataset.item;
  const tell = () => {
    const words = field.value.trim() ? field.value.trim().split(/\s+/u).length : 0;
    count.textContent = words === 1 ? form.dataset.word : form.dataset.words.replace("{n}", words);
  };
  if (!field.value) field.value = read(draft, "");
  tell();
  // What is beyond the limit the browser leaves out without a word.
  const full = document.getElementById("full");
  field.addEventListener("input", () => {
    const most = field.maxLength.toLocaleString(document.documentElement.lang);
    full.textContent = field.value.length < field.maxLength ? "" : form.dataset.full.replace("{most}", most);
  });
  // One draft is kept for a question, so the tab that writes last would quietly win: each tells what the other has.
  const elsewhere = document.getElementById("elsewhere");
  addEventListener("storage", ({ key }) => {
    if (key === draft) elsewhere.hidden = [field.value, ""].includes(read(draft, ""));
  });
  elsewhere.querySelector("button").addEventListener("click", () => {
    field.value = read(draft, field.value);
    tell();
    elsewhere.hidden = true;
    field.focus();
  });
  field.addEventListener("input", () => {
    write(draft, field.value);
    tell();
  });
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      form.requestSubmit();
    }
  });
  const button = form.querySelector("button[type=submit]");
  form.addEventListener("submit", async (event) => {
    // The button of another language sends the form for a page of its own.
    if (event.submitter?.value === "look") return;
    event.preventDefault();
    // Pressed again while an answer is on its way: that would be the same attempt twice. The button is not disabled for it,
    // which would take the focus from whoever has just pressed it.
    if (button.ariaDisabled) return;
    button.ariaDisabled = "true";
    status.textContent = form.dataset.grading;
    const sent = new URLSearchParams(new FormData(form));
    try {
      const response = await fetch(location.href, { method: "POST", body: sent });
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      const result = page.querySelector("#results .result");
      if (!result) throw new Error(page.querySelector("[role=alert] p")?.textContent ?? form.dataset.failed);
      const isAgain = !remember(form.dataset, Number(result.dataset.score), sent.get("candidate_answer"));
      show(results, document.importNode(result, true), isAgain);
      status.textContent = result.dataset.announce;
    } catch (error) {
      status.textContent = "";
      const notice = document.createElement("p");
      notice.className = "card notice";
      notice.setAttribute("role", "alert");
      notice.textContent = error instanceof TypeError ? form.dataset.failed : error.message;
      results.prepend(notice);
    } finally {
      button.ariaDisabled = null;
    }
  });
}

function show(results, result, isAgain) {
  results.querySelectorAll(".notice[role=alert]").forEach((old) => old.remove());
  const before = results.querySelector(".result:not(.earlier)");
  if (before && isAgain) before.remove();
  else if (before) {
    results.querySelector(".result.earlier")?.remove();
    before.classList.add("earlier");
    before.querySelector("h2").append(Object.assign(document.createElement("small"), { textContent: results.dataset.earlier }));
    before.querySelectorAll("[id]").forEach((named) => named.removeAttribute("id"));
    before.removeAttribute("aria-labelledby");
  }
  results.prepend(result);
  pointing(result);
  // A frame later: what is put in and scrolled at once counts as a page that jumps.
  requestAnimationFrame(() => requestAnimationFrame(() => result.scrollIntoView({ block: "nearest" })));
}

// Pointing at a key point shows the words of the answer that earned it.
function pointing(result) {
  const answer = result.querySelector(".answer");
  for (const button of result.querySelectorAll(".point")) {
    const turn = (on) => {
      answer.classList.toggle("pointing", on);
      for (const mark of answer.querySelectorAll("mark")) {
        mark.classList.toggle("on", on && mark.dataset.points.split(" ").includes(button.dataset.point));
      }
    };
    for (const [name, on] of [["mouseenter", true], ["focus", true], ["click", true], ["mouseleave", false], ["blur", false]]) {
      button.addEventListener(name, () => turn(on));
    }
  }
}

// Keeps an attempt, and tells whether it is one: the same answer sent again is not.
function remember({ item, question, topic, run }, score, answer) {
  const history = read(HISTORY, []);
  const last = history.at(-1);
  if (last?.item === item && last.run === run && last.answer === answer) return false;
  history.push({ item, question, topic, run, score, answer, at: new Date().toISOString() });
  write(HISTORY, history.slice(-MOST_KEPT));
  return true;
}

// Keeps that a question of an interview was seen.
function passing({ item, question, topic, run, of }) {
  const runs = read(RUNS, {});
  const seen = { [item]: { question, topic }, ...runs[run]?.seen };
  delete runs[run];
  const kept = [...Object.entries(runs), [run, { of: Number(of), seen }]].slice(-MOST_RUNS);
  write(RUNS, Object.fromEntries(kept));
}

// Marks the questions of a list that were answered, with the best score.
function marking(links) {
  const best = bestOf(read(HISTORY, []));
  for (const link of links) {
    if (best.has(link.dataset.item)) link.querySelector(".best").textContent = percent(best.get(link.dataset.item).score);
  }
}

function bestOf(entries) {
  const best = new Map();
  for (const { item, question, topic, score } of entries) {
    const before = best.get(item);
    best.set(item, { question, topic, score: Math.max(score, before?.score ?? 0), attempts: (before?.attempts ?? 0) + 1 });
  }
  return best;
}

function summing(place) {
  place.classList.add("told");
  const history = read(HISTORY, []);
  const interview = read(RUNS, {})[place.dataset.run];
  if (!history.length && !interview) {
    place.append(Object.assign(document.createElement("p"), { className: "card", textContent: place.dataset.none }));
    return;
  }
  for (const section of place.querySelectorAll("section")) {
    const isRun = section.dataset.of === "run";
    const entries = isRun ? history.filter(({ run }) => run === place.dataset.run) : history;
    const best = bestOf(entries);
    const skipped = Object.entries(isRun && interview ? interview.seen : {}).filter(([item]) => !best.has(item));
    if (!entries.length && !skipped.length) continue;
    if (entries.length) section.querySelector(".mean").textContent = percent(mean([...best.values()].map(({ score }) => score)));
    if (isRun && interview) {
      const over = section.querySelector(".over");
      over.textContent = place.dataset.over.replace("{n}", best.size).replace("{of}", interview.of);
    }
    if (entries.length) charting(section.querySelector(".topics"), best, place.dataset);
    listing(section.querySelector(".questions"), best, skipped, place.dataset);
    section.hidden = false;
  }
  document.getElementById("export").addEventListener("click", () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([JSON.stringify(read(HISTORY, []), null, 1)], { type: "application/json" }));
    link.download = "practice.json";
    link.click();
    URL.revokeObjectURL(link.href);
  });
  document.getElementById("forget").addEventListener("click", () => {
    if (!confirm(place.dataset.sure)) return;
    const drafts = Object.keys(localStorage).filter((name) => name.startsWith(DRAFT));
    for (const name of [HISTORY, RUNS, ...drafts]) localStorage.removeItem(name);
    location.reload();
  });
}

const mean = (scores) => scores.reduce((sum, score) => sum + score, 0) / scores.length;

// A bar for each topic, of the mean of the best scores of its questions. The service draws it: names, counts and means are all that it
// is told, and not in an address, which others might write down.
async function charting(place, best, { topics: address, chartWidth, axisHeight, barHeight }) {
  const means = [...Map.groupBy(best.values(), ({ topic }) => topic)].map(([topic, found]) => [
    `${topic} (${found.length})`,
    mean(found.map(({ score }) => score)),
  ]);
  // Room is kept for it, so that nothing moves when it comes.
  place.style.aspectRatio = `${chartWidth} / ${Number(axisHeight) + barHeight * means.length}`;
  const body = new URLSearchParams(means.flatMap(([topic, share]) => [["topic", topic], ["mean", share]]));
  try {
    const answer = await fetch(address, { method: "POST", body });
    if (!answer.ok) throw new Error(answer.status);
    const drawn = new DOMParser().parseFromString(await answer.text(), "image/svg+xml").documentElement;
    if (drawn.localName !== "svg" || drawn.querySelector("parsererror")) throw new Error("no chart");
    place.append(document.importNode(drawn, true));
  } catch {
    // Without the service the figures say the same.
    place.style.aspectRatio = "";
    for (const [topic, share] of means) {
      place.append(Object.assign(document.createElement("p"), { textContent: `${topic}: ${percent(share)}` }));
    }
  }
}

// The questions, those first that were skipped or went worst: they are the ones to practise next.
function listing(list, best, skipped, { practice, attempts, skipped: passed }) {
  for (const [item, { question }] of skipped) list.append(line(practice + item, question, passed, "–"));
  for (const [item, { question, score, attempts: n }] of [...best].sort(([, a], [, b]) => a.score - b.score)) {
    // An item of another bank than the one that ships is kept with the query that names it.
    list.append(line(practice + item, question ?? item, attempts.replace("{n}", n), percent(score)));
  }
}

function line(address, asked, said, figure) {
  const [entry, link, question, tags, tag, best] = ["li", "a", "span", "span", "span", "span"].map((name) => document.createElement(name));
  link.href = address;
  question.className = "asked";
  question.textContent = asked;
  tags.className = "tags";
  tag.className = "tag";
  tag.textContent = said;
  best.className = "best";
  best.textContent = figure;
  tags.append(tag, " ", best);
  link.append(question, tags);
  entry.append(link);
  return entry;
}

// The end is kept while the tab is open: loading the page anew gives no time back.
function timing(timer, { run, item }) {
  const name = `grader.end.${run}.${item}`;
  let end = Date.now() + Number(timer.dataset.minutes) * 60_000;
  try {
    end = Number((run && sessionStorage.getItem(name)) || end);
    if (run) sessionStorage.setItem(name, end);
  } catch {
    // A browser that keeps nothing begins again.
  }
  const tick = () => {
    const left = Math.max(0, Math.round((end - Date.now()) / 1000));
    timer.textContent = left ? `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}` : timer.dataset.over;
    if (left) setTimeout(tick, 1000);
    else document.getElementById("time-over").textContent = timer.dataset.said;
  };
  tick();
}

const form = document.getElementById("answer-form");
if (form) answering(form);
if (form?.dataset.run) passing(form.dataset);
const history = document.getElementById("history");
if (history) summing(history);
marking(document.querySelectorAll("a[data-item]"));
const timer = document.getElementById("timer");
if (timer) timing(timer, form.dataset);
document.querySelectorAll(".result").forEach(pointing);
