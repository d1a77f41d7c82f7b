// Checks and tries an item while it is edited: the form is sent as its button would send it, and the parts of the page that came
// back take the place of those shown. Without this file the buttons do the same.
const form = document.getElementById("item-form");
const tried = document.getElementById("tried");
const note = document.getElementById("problem-note");
const status = document.getElementById("status");
const PAUSE_MS = 450;
let waiting;
let asked;

// What would be saved: the answer that it is tried with would not.
const content = () => JSON.stringify([...new FormData(form)].filter(([name]) => name !== "candidate_answer"));

function showProblems(page) {
  for (const shown of form.querySelectorAll(".field-error")) {
    const name = shown.id.slice("error-".length);
    const found = page.getElementById(shown.id)?.textContent ?? "";
    if (shown.textContent !== found) shown.textContent = found;
    const field = form.elements[name];
    if (!(field instanceof HTMLElement)) continue;
    const folded = field.closest("details");
    if (found && folded) folded.open = true;
    if (found) field.setAttribute("aria-invalid", "true");
    else field.removeAttribute("aria-invalid");
  }
  note.hidden = page.getElementById("problem-note")?.hidden ?? true;
}

async function tryOut() {
  asked?.abort();
  asked = new AbortController();
  const sent = new URLSearchParams(new FormData(form));
  sent.set("wish", "try");
  tried.setAttribute("aria-busy", "true");
  try {
    const response = await fetch(location.pathname, { method: "POST", body: sent, signal: asked.signal });
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const found = page.getElementById("tried");
    if (!found) throw new Error(page.querySelector("[role=alert] p")?.textContent ?? form.dataset.failed);
    showProblems(page);
    tried.replaceChildren(...document.importNode(found, true).childNodes);
    pointing();
  } catch (error) {
    if (error.name === "AbortError") return;
    const notice = document.createElement("p");
    notice.className = "card notice";
    notice.textContent = error instanceof TypeError ? form.dataset.failed : error.message;
    tried.replaceChildren(notice);
  }
  tried.removeAttribute("aria-busy");
}

// Pointing at a key point shows the words of the answer that earned it.
function pointing() {
  const answer = tried.querySelector(".answer");
  for (const button of tried.querySelectorAll(".point")) {
    const turn = (on) => {
      answer.classList.toggle("pointing", on);
      for (const mark of answer.querySelectorAll("mark")) {
        mark.classList.toggle("on", on && mark.dataset.points.split(" ").includes(button.dataset.point));
      }
    };
    for (const [name, on] of [["mouseenter", true], ["focus", true], ["mouseleave", false], ["blur", false]]) {
      button.addEventListener(name, () => turn(on));
    }
  }
}

// One more entry at the end of a list: a copy of the last one, emptied and with a number of its own.
function add(list) {
  const last = [...list.querySelectorAll(".entry")].pop();
  const copy = last.cloneNode(true);
  const number = 1 + Number(last.querySelector("[name]").name.split(".")[1]);
  for (const field of copy.querySelectorAll("[name*='.']")) {
    field.name = field.name.replace(/\.\d+\./, `.${number}.`);
    field.setAttribute("aria-describedby", `error-${field.name}`);
    field.removeAttribute("aria-invalid");
    if (field.matches("textarea, input")) field.value = "";
  }
  for (const error of copy.querySelectorAll(".field-error")) {
    error.id = error.id.replace(/\.\d+\./, `.${number}.`);
    error.textContent = "";
  }
  const remover = copy.querySelector("button");
  remover.value = remover.value.replace(/\d+$/, number);
  last.after(copy);
  copy.querySelector("input, textarea").focus();
}

// Takes an entry out; of the last one of a list only what it says, since another is made from it.
function remove(entry) {
  const others = [...entry.parentElement.querySelectorAll(".entry")].filter((other) => other !== entry);
  if (others.length) entry.remove();
  else for (const field of entry.querySelectorAll("input, textarea")) field.value = "";
  (others.at(-1) ?? entry).querySelector("input, textarea").focus();
  form.dispatchEvent(new Event("input"));
}

form.addEventListener("click", (event) => {
  if (!event.target.matches("button[value^='remove.']")) return;
  event.preventDefault();
  remove(event.target.closest(".entry"));
});
for (const list of form.querySelectorAll("section")) {
  if (!list.querySelector(".entry")) continue;
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = form.dataset.add;
  button.addEventListener("click", () => add(list));
  [...list.querySelectorAll(".entry")].pop().after(button);
}
form.querySelector("button[value=more]").hidden = form.querySelectorAll(".fields section button[type=button]").length === 3;
form.addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(tryOut, PAUSE_MS);
});
// Null where all that is here is not saved, since it came back from a form.
const saved = form.dataset.unsaved === undefined ? content() : null;
let isSent = false;
form.addEventListener("submit", (event) => {
  if (event.submitter?.value !== "try") return;
  event.preventDefault();
  clearTimeout(waiting);
  tryOut();
});
// The form that discards a draft means it, too.
addEventListener("submit", (event) => {
  isSent = !event.defaultPrevented && event.target.closest("main") !== null;
});
addEventListener("pageshow", () => {
  isSent = false;
});
if (form.dataset.keeps !== undefined) {
  addEventListener("beforeunload", (event) => {
    if (!isSent && content() !== saved) event.preventDefault();
  });
}
pointing();
