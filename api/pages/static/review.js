// Keys for the review pages, and the mark that the chosen verdicts give. Without this file the forms do the same.
const KEYS = "grader.keys";
const form = document.getElementById("decision");
const toggle = document.getElementById("keys");
const status = document.getElementById("status");

const stored = () => {
  try {
    return localStorage.getItem(KEYS) !== "off";
  } catch {
    return true;
  }
};

// A letter is a command only where nobody is writing, and not together with keys that mean something to the browser.
const isWriting = (target) => target.closest("textarea, select, input:not([type=checkbox])") !== null || target.isContentEditable;

function tellMark() {
  const hint = document.getElementById("mark-hint");
  const field = form.elements.mark;
  let total = 0;
  let worth = 0;
  let changed = false;
  for (const select of form.querySelectorAll("select[name=verdict]")) {
    const row = select.closest("li");
    const weight = Number(row.dataset.weight);
    total += weight;
    worth += weight * Number(select.selectedOptions[0].dataset.worth);
    row.className = select.value.split(":").pop();
    changed ||= select.value !== select.dataset.machine;
  }
  const step = Number(field.dataset.step);
  const most = Number(field.dataset.max);
  const mark = Math.min(most, Math.floor((worth / total) * (most / step) + 0.5 + 1e-9) * step);
  hint.textContent = changed ? hint.dataset.says.replace("{mark}", Number(mark.toFixed(4))) : hint.dataset.original;
}

function press(key) {
  const cycle = form?.querySelector(`[data-cycle="${key}"]`);
  if (cycle) {
    cycle.selectedIndex = (cycle.selectedIndex + 1) % cycle.options.length;
    tellMark();
    const name = document.getElementById(cycle.getAttribute("aria-labelledby")).textContent;
    status.textContent = `${name}: ${cycle.selectedOptions[0].textContent}`;
    return true;
  }
  const wanted = document.querySelector(`[data-key="${key}"]`);
  if (!wanted) return false;
  if (wanted.matches("input, textarea")) wanted.focus();
  else wanted.click();
  return true;
}

if (form) {
  const hint = document.getElementById("mark-hint");
  hint.dataset.original = hint.textContent;
  form.addEventListener("change", tellMark);
  tellMark();
  // A second click would find the decision made already, by oneself.
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
  });
  addEventListener("pageshow", () => delete form.dataset.sent);
}
if (toggle) {
  toggle.checked = stored();
  toggle.addEventListener("change", () => {
    try {
      localStorage.setItem(KEYS, toggle.checked ? "on" : "off");
    } catch {
      // A browser that keeps nothing forgets it with the page.
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && isWriting(event.target)) {
      event.target.blur();
      return;
    }
    if (!toggle.checked || event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.repeat) return;
    if (!isWriting(event.target) && press(event.key.toLowerCase())) event.preventDefault();
  });
}
