// <answer-grader item-id="dropout" token-url="/token">: a question, room for an answer, and what came of it, in any page.
// No dependency and no build step. Every text is put in as text, never as markup; styles are a sheet of the shadow root, so that
// neither a strict Content-Security-Policy nor the page's own styles get in the way. docs/widget.md tells the rest.
const HERE = new URL(".", import.meta.url);
const MOST_CHARACTERS = 20_000;
// Refreshed this long before it ends, so that it does not end on the way.
const SPARE_MS = 5_000;

const WORDS = {
  en: {
    answer: "Your answer",
    hint: "Whole sentences, in your own words. Ctrl + Enter grades.",
    words: (n) => `${n} ${n === 1 ? "word" : "words"}`,
    grade: "Grade my answer",
    grading: "Being graded …",
    loading: "The question is being loaded …",
    again: "Try again",
    score: (percent, low, high) => `Score ${percent} %; a person would most likely give between ${low} and ${high} %.`,
    exact: (percent, low) => `Score ${percent} %; a person would most likely give ${low} %.`,
    said: (grade, mark, most) => `${grade}: ${mark} of ${most} marks.`,
    doubt: "The grader is not sure here; a person should look.",
    points: "Key points",
    yours: "Your words",
    excellent: "Excellent",
    good: "Good",
    fair: "Fair",
    weak: "Weak",
    fail: "Not yet",
    covered: "covered",
    partial: "partly",
    missing: "missing",
    contradicted: "contradicted",
    expired: "The time for this question is over. Reload the page.",
    refused: "This question cannot be graded here.",
    busy: "Many answers are being graded right now. Try again in a moment.",
    failed: "The grader cannot be reached. Your answer is still here; try again.",
    unreachable: "The grader cannot be reached. Try again in a moment.",
    full: "An answer holds 20,000 characters; what is beyond them was left out.",
  },
  de: {
    answer: "Ihre Antwort",
    hint: "Ganze Sätze, in eigenen Worten. Strg + Enter bewertet.",
    words: (n) => `${n} ${n === 1 ? "Wort" : "Wörter"}`,
    grade: "Antwort bewerten",
    grading: "Wird bewertet …",
    loading: "Die Frage wird geladen …",
    again: "Noch einmal versuchen",
    score: (percent, low, high) => `Wert ${percent} %; ein Mensch gäbe wohl zwischen ${low} und ${high} %.`,
    exact: (percent, low) => `Wert ${percent} %; ein Mensch gäbe wohl ${low} %.`,
    said: (grade, mark, most) => `${grade}: ${mark} von ${most} Punkten.`,
    doubt: "Hier ist sich das Programm nicht sicher; ein Mensch sollte es ansehen.",
    points: "Kernpunkte",
    yours: "Ihre Worte",
    excellent: "Ausgezeichnet",
    good: "Gut",
    fair: "Ordentlich",
    weak: "Schwach",
    fail: "Noch nicht",
    covered: "gesagt",
    partial: "teilweise",
    missing: "fehlt",
    contradicted: "widersprochen",
    expired: "Die Zeit für diese Frage ist um. Bitte die Seite neu laden.",
    refused: "Diese Frage kann hier nicht bewertet werden.",
    busy: "Gerade werden viele Antworten bewertet. Bitte gleich noch einmal versuchen.",
    failed: "Das Programm ist nicht erreichbar. Die Antwort ist noch da; bitte noch einmal versuchen.",
    unreachable: "Das Programm ist nicht erreichbar. Bitte gleich noch einmal versuchen.",
    full: "Eine Antwort fasst 20.000 Zeichen; was darüber hinausgeht, wurde weggelassen.",
  },
};

// light-dark() follows the page's own color-scheme: on a page that is always light the widget is, too.
const STYLE = `
:host { display: block; container-type: inline-size; font: var(--answer-grader-font, 1rem/1.55 system-ui, sans-serif);
  --ground: var(--answer-grader-ground, light-dark(#f6f7fb, #10131b)); --card: var(--answer-grader-card, light-dark(#fff, #191e2a));
  --ink: var(--answer-grader-ink, light-dark(#1a2030, #e9edf6)); --quiet: var(--answer-grader-quiet, light-dark(#566076, #a5aec2));
  --line: var(--answer-grader-line, light-dark(#d7dce8, #323a4d)); --accent: var(--answer-grader-accent, light-dark(#2f5bd0, #8fadff));
  --on-accent: var(--answer-grader-on-accent, light-dark(#fff, #0d1220)); --range: var(--answer-grader-range, light-dark(#c5d2f5, #33436f));
  --good: var(--answer-grader-good, light-dark(#13703c, #7fdba3)); --good-ground: var(--answer-grader-good-ground, light-dark(#dff3e6, #16382a));
  --part: var(--answer-grader-part, light-dark(#8a5200, #ffc46b)); --part-ground: var(--answer-grader-part-ground, light-dark(#fdeccf, #3d2d10));
  --bad: var(--answer-grader-bad, light-dark(#b3261e, #ff9d94)); --bad-ground: var(--answer-grader-bad-ground, light-dark(#fbe3e1, #45201d));
  --radius: var(--answer-grader-radius, 14px); }
:host([hidden]) { display: none; }
* { box-sizing: border-box; }
.card { background: var(--card); color: var(--ink); border: 1px solid var(--line); border-radius: var(--radius); padding: 1.25rem; text-align: start;
  min-block-size: 21rem; }
.question { font-size: 1.25em; font-weight: 700; line-height: 1.3; margin: 0 0 .8rem; overflow-wrap: anywhere; }
.quiet { color: var(--quiet); } .quiet:not(.question) { font-size: .9em; }
/* What is loaded finds its place kept: the form, and two lines of the question where it is narrow. */
.loading { visibility: hidden; } @container (max-width: 36rem) { .question { min-block-size: 2.6em; } }
textarea, button { font: inherit; color: var(--ink); background: var(--card); border: 1px solid var(--quiet); border-radius: 9px; padding: .5rem .8rem; }
textarea { display: block; inline-size: 100%; resize: vertical; padding: .8rem; margin-block-start: .3rem; }
button { cursor: pointer; }
.primary { background: var(--accent); border-color: var(--accent); color: var(--on-accent); font-weight: 600; }
[aria-disabled=true] { opacity: .7; cursor: progress; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.row { display: flex; flex-wrap: wrap; justify-content: space-between; gap: .5rem; margin: .4rem 0 .8rem; }
.notice { background: var(--part-ground); color: var(--part); border-radius: 10px; padding: .6rem .9rem; margin-block: .9rem 0; }
.result { border-block-start: 1px solid var(--line); margin-block-start: 1.2rem; padding-block-start: 1rem; }
.figure { display: flex; flex-wrap: wrap; align-items: baseline; justify-content: space-between; gap: .5rem; }
.grade { font-size: 1.3em; font-weight: 700; } .mark { color: var(--quiet); } .mark b { font-size: 2.2em; line-height: 1; color: var(--ink); }
.bar { position: relative; block-size: 18px; border-radius: 9px; background: var(--ground); overflow: hidden; margin-block: .7rem .3rem; }
.bar i { position: absolute; } .range { inset-block: 0; inset-inline: var(--low) calc(100% - var(--high)); background: var(--range); }
.score { inset-block: 4px; inset-inline: 0 calc(100% - var(--score)); background: var(--accent); }
.head { font-weight: 700; margin: 1.2rem 0 .5rem; }
ul { margin: .8rem 0 0; padding-inline-start: 1.1rem; } ol { list-style: none; margin: 0; padding: 0; display: grid; gap: .35rem; }
.point { inline-size: 100%; display: flex; gap: .6rem; align-items: center; text-align: start; border-color: var(--line); }
.point:not(button) { border: 1px solid var(--line); border-radius: 9px; padding: .5rem .8rem; }
.verdict { margin-inline-start: auto; font-size: .82em; font-weight: 600; padding: .05rem .55rem; border-radius: 99px; white-space: nowrap; }
.sign { inline-size: 1.1rem; text-align: center; font-weight: 700; }
.covered .sign::before { content: "✓"; } .partial .sign::before { content: "◐"; } .missing .sign::before { content: "○"; } .contradicted .sign::before { content: "✗"; }
.covered .verdict { background: var(--good-ground); } .covered :is(.verdict, .sign) { color: var(--good); }
.partial .verdict { background: var(--part-ground); } .partial :is(.verdict, .sign) { color: var(--part); }
.contradicted .verdict { background: var(--bad-ground); } .contradicted :is(.verdict, .sign) { color: var(--bad); }
.missing .verdict { background: var(--ground); color: var(--quiet); }
.words { white-space: pre-wrap; overflow-wrap: anywhere; background: var(--ground); border-radius: 10px; padding: .8rem; margin: 0; }
mark { background: var(--range); color: inherit; border-radius: 4px; }
.pointing mark { background: none; } .pointing mark.on { background: var(--good-ground); box-shadow: 0 2px 0 var(--good); }
.unseen { position: absolute; inline-size: 1px; block-size: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
@media print { form .row, .primary { display: none; } .card { min-block-size: 0; break-inside: avoid; } }
@media (prefers-reduced-motion: no-preference) { mark { transition: background .15s; } }
`;

/** Return an element with properties, attributes and what is in it; texts stay texts. */
function make(tag, attributes = {}, ...inside) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...inside);
  return element;
}

/** A text in its own direction: a sentence in English ends at its right, on a page in Arabic too. */
const line = (text) => make("bdi", {}, text);
const percent = (share) => Math.round(share * 100);
/** Key points are named by their ids: their texts are the answer that is to be found. */
const nameOf = (id) => id.charAt(0).toUpperCase() + id.slice(1).replaceAll("-", " ");

/** Return the answer cut wherever the proof of a key point begins or ends, each piece with the points that it proves. */
function piecesOf(answer, points) {
  // The service counts characters, and not halves of them as scripts do.
  const characters = Array.from(answer);
  const spans = points.flatMap((point, n) => point.evidence.map(({ start, end }) => ({ start, end, n })));
  const cuts = [...new Set([0, characters.length, ...spans.flatMap(({ start, end }) => [start, end])])].sort((a, b) => a - b);
  return cuts.slice(1).map((end, i) => ({
    text: characters.slice(cuts[i], end).join(""),
    points: new Set(spans.filter((span) => span.start <= cuts[i] && end <= span.end).map((span) => span.n)),
  }));
}

/** A request that was refused, as the service says it. */
class Refusal extends Error {
  constructor(status, problem) {
    super(problem?.detail ?? `The service answered with the status ${status}.`);
    this.status = status;
    this.type = problem?.type ?? null;
  }
}

class AnswerGrader extends HTMLElement {
  static observedAttributes = ["item-id", "bank-id", "api", "token", "token-url", "lang"];
  static #sheet = null;

  #root = this.attachShadow({ mode: "open" });
  #token = { value: null, ends: Infinity };
  #source = null;
  #running = new AbortController();
  #parts = {};
  #result = null;
  #isWaiting = false;

  constructor() {
    super();
    if (!AnswerGrader.#sheet) {
      AnswerGrader.#sheet = new CSSStyleSheet();
      AnswerGrader.#sheet.replaceSync(STYLE);
    }
    this.#root.adoptedStyleSheets = [AnswerGrader.#sheet];
  }

  /** The token, for pages that set it by script. */
  get token() {
    return this.#token.value;
  }

  set token(value) {
    this.#token = { value: value || null, ends: Infinity };
    this.#begin();
  }

  /** A function that gives a token, or a promise of one: `({ itemId, bankId }) => token`. Asked again when that has ended. */
  get tokenSource() {
    return this.#source;
  }

  set tokenSource(source) {
    this.#source = source;
    this.#begin();
  }

  /** What is written in the field. */
  get answer() {
    return this.#parts.field?.value ?? "";
  }

  /** The last result, as the service gave it, or null. */
  get result() {
    return this.#result;
  }

  get itemId() {
    return this.getAttribute("item-id") ?? "";
  }

  get bankId() {
    return this.getAttribute("bank-id");
  }

  connectedCallback() {
    // What a page set before this script was there would hide the properties for good.
    for (const name of ["token", "tokenSource"]) {
      if (Object.hasOwn(this, name)) {
        const value = this[name];
        delete this[name];
        this[name] = value;
      }
    }
    this.#begin();
  }

  disconnectedCallback() {
    this.#running.abort();
  }

  attributeChangedCallback(name, before, value) {
    if (before === value) return;
    if (name === "token") this.#token = { value: value || null, ends: Infinity };
    if (this.isConnected) this.#begin();
  }

  get #words() {
    const language = (this.closest("[lang]")?.lang || document.documentElement.lang || navigator.language).toLowerCase().split("-")[0];
    return WORDS[language] ?? WORDS.en;
  }

  /** Show the question anew; what was on its way is let go. */
  async #begin() {
    if (!this.isConnected) return;
    this.#running.abort();
    const { signal } = (this.#running = new AbortController());
    // Attributes that change together are looked at once.
    await Promise.resolve();
    if (signal.aborted || !this.itemId) return;
    this.#isWaiting = false;
    this.#result = null;
    this.#frame();
    // Another origin answers nobody without a token: the page is still to give one.
    const isGiven = this.token || this.#source || this.hasAttribute("token-url");
    if (!isGiven && this.#service.origin !== location.origin) return;
    try {
      const item = await this.#ask(`v1/items/${encodeURIComponent(this.itemId)}`, { bank_id: this.bankId }, null, signal);
      this.#parts.question.textContent = item.question;
      this.#parts.question.classList.remove("quiet");
      this.#parts.form.classList.remove("loading");
    } catch (error) {
      if (!signal.aborted) this.#fail(error, () => this.#begin());
    }
  }

  #frame() {
    const words = this.#words;
    const parts = (this.#parts = {
      question: make("p", { class: "question quiet", id: "question", part: "question", dir: "auto" }, words.loading),
      field: make("textarea", { id: "answer", part: "answer", rows: 5, maxlength: MOST_CHARACTERS, dir: "auto", required: "", "aria-describedby": "question hint" }),
      count: make("bdi", { id: "count" }, words.words(0)),
      button: make("button", { type: "submit", class: "primary", part: "button" }, words.grade),
      form: make("form", { class: "loading" }),
      notice: make("div", { role: "alert" }),
      status: make("div", { role: "status", class: "unseen" }),
      result: make("div", { part: "result" }),
    });
    const row = make("p", { class: "row quiet" }, make("bdi", { id: "hint" }, words.hint), parts.count);
    parts.form.append(make("label", { for: "answer" }, words.answer), parts.field, row, parts.button);
    parts.field.addEventListener("input", () => {
      const number = words.words(parts.field.value.split(/\s+/u).filter(Boolean).length);
      // What is beyond the limit the browser leaves out without a word.
      const isFull = parts.field.value.length >= MOST_CHARACTERS;
      parts.count.textContent = isFull ? `${number}. ${words.full}` : number;
      parts.status.textContent = isFull ? words.full : "";
    });
    parts.field.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        parts.form.requestSubmit();
      }
    });
    parts.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#grade();
    });
    const card = make("section", { class: "card", part: "card", "aria-labelledby": "question" });
    card.append(parts.question, parts.form, parts.notice, parts.status, parts.result);
    this.#root.replaceChildren(card);
  }

  async #grade() {
    if (this.#isWaiting) return;
    const { field, button, notice, status, result: place } = this.#parts;
    const { signal } = this.#running;
    const words = this.#words;
    const answer = field.value;
    this.#wait(true);
    notice.replaceChildren();
    status.textContent = words.grading;
    try {
      const body = { item_id: this.itemId, candidate_answer: answer, ...(this.bankId ? { bank_id: this.bankId } : {}) };
      const result = await this.#ask("v1/grades", {}, body, signal);
      this.#result = result;
      place.replaceChildren(this.#shown(answer, result));
      status.textContent = words.said(words[result.grade], result.mark, result.max_mark);
      this.#tell("answer-graded", { itemId: this.itemId, bankId: this.bankId, answer, result });
    } catch (error) {
      if (!signal.aborted) this.#fail(error, null);
    } finally {
      if (!signal.aborted) this.#wait(false);
      button.textContent = words.grade;
    }
  }

  // The button is not disabled: that would take the focus from whoever has just pressed it.
  #wait(isWaiting) {
    this.#isWaiting = isWaiting;
    this.#parts.button.setAttribute("aria-disabled", isWaiting);
  }

  #shown(answer, result) {
    const words = this.#words;
    const [score, low, high] = [result.score, result.interval.low, result.interval.high].map(percent);
    const sentence = low === high ? words.exact(score, low) : words.score(score, low, high);
    const bar = make("div", { class: "bar", role: "img", "aria-label": sentence }, make("i", { class: "range" }), make("i", { class: "score" }));
    for (const [name, value] of Object.entries({ score, low, high })) bar.style.setProperty(`--${name}`, `${value}%`);
    const mark = make("span", { class: "mark", dir: "ltr" }, make("b", {}, String(result.mark)), ` / ${result.max_mark}`);
    const text = make("p", { class: "words", dir: "auto" });
    for (const piece of piecesOf(answer, result.key_points)) {
      text.append(piece.points.size ? Object.assign(make("mark", {}, piece.text), { points: piece.points }) : piece.text);
    }
    return make(
      "div",
      { class: "result" },
      make("div", { class: "figure" }, make("span", { class: "grade" }, words[result.grade]), mark),
      bar,
      make("p", { class: "quiet" }, line(sentence)),
      // The service gives feedback in English.
      make("ul", { lang: "en" }, ...result.feedback.map((said) => make("li", {}, line(said)))),
      ...(result.needs_review ? [make("p", { class: "notice" }, line(words.doubt))] : []),
      make("p", { class: "head", id: "points" }, words.points),
      make("ol", { "aria-labelledby": "points" }, ...result.key_points.map((point, n) => this.#point(point, n, text))),
      make("p", { class: "head" }, words.yours),
      text,
    );
  }

  #point(point, n, text) {
    const hasProof = point.evidence.length > 0;
    const shown = make(
      hasProof ? "button" : "span",
      { class: "point", type: hasProof ? "button" : null },
      make("span", { class: "sign", "aria-hidden": "true" }),
      line(nameOf(point.id)),
      " ",
      make("span", { class: "verdict" }, this.#words[point.verdict]),
    );
    const turn = (on) => {
      text.classList.toggle("pointing", on);
      for (const piece of text.querySelectorAll("mark")) piece.classList.toggle("on", on && piece.points.has(n));
    };
    if (hasProof) {
      for (const name of ["mouseenter", "focus", "click"]) shown.addEventListener(name, () => turn(true));
      for (const name of ["mouseleave", "blur"]) shown.addEventListener(name, () => turn(false));
    }
    return make("li", { class: point.verdict }, shown);
  }

  /** Show what went wrong, and tell the page. */
  #fail(error, again) {
    const words = this.#words;
    const said = { 401: words.expired, 403: words.refused, 404: words.refused, 429: words.busy, 503: words.busy }[error.status];
    const { notice, status, question, form } = this.#parts;
    status.textContent = "";
    const isLoading = form.classList.contains("loading");
    if (isLoading) {
      form.hidden = true;
      question.hidden = true;
    }
    // What is wrong with an answer, such as its length, the service says itself.
    const message = said ?? (error.status === 422 ? error.message : isLoading ? words.unreachable : words.failed);
    const inside = [line(message)];
    if (again) {
      const button = make("button", { type: "button" }, words.again);
      button.addEventListener("click", again);
      inside.push(" ", button);
    }
    notice.replaceChildren(make("p", { class: "notice" }, ...inside));
    // A browser's own words about a network are for programmers.
    const detail = { itemId: this.itemId, bankId: this.bankId, status: error.status ?? 0, type: error.type ?? null, message: error.status ? error.message : message };
    this.#tell("answer-error", detail);
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { bubbles: true, composed: true, detail }));
  }

  get #service() {
    const api = this.getAttribute("api");
    return api ? new URL(api.replace(/\/*$/u, "/"), document.baseURI) : HERE;
  }

  /** Ask the service; a token that has ended is replaced once. */
  async #ask(path, query, body, signal) {
    const address = new URL(path, this.#service);
    for (const [name, value] of Object.entries(query)) if (value) address.searchParams.set(name, value);
    for (let isFresh = await this.#refresh(false, signal); ; ) {
      const headers = { ...(body ? { "Content-Type": "application/json" } : {}), ...(this.token ? { Authorization: `Bearer ${this.token}` } : {}) };
      const options = { method: body ? "POST" : "GET", headers, body: body && JSON.stringify(body), signal, credentials: "omit" };
      const response = await fetch(address, options);
      if (response.ok) return response.json();
      if (response.status !== 401 || isFresh || !(isFresh = await this.#refresh(true, signal))) {
        throw new Refusal(response.status, await response.json().catch(() => null));
      }
    }
  }

  /** Get a token where there is none, or it ends, or another is wanted; tell whether there is a new one. */
  async #refresh(isWanted, signal) {
    const source = this.#source ?? (this.hasAttribute("token-url") ? (wanted) => this.#fetchToken(wanted, signal) : null);
    if (!source || (!isWanted && this.token && Date.now() < this.#token.ends - SPARE_MS)) return false;
    const given = await source({ itemId: this.itemId, bankId: this.bankId });
    const { token, expires_at: ends } = typeof given === "string" ? { token: given } : given;
    signal.throwIfAborted();
    this.#token = { value: token, ends: ends ? Date.parse(ends) : Infinity };
    return true;
  }

  /** Ask the page's own server, which may send on what the service gave it. */
  async #fetchToken({ itemId, bankId }, signal) {
    const response = await fetch(new URL(this.getAttribute("token-url"), document.baseURI), {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ item_id: itemId, bank_id: bankId }),
      credentials: "same-origin",
      signal,
    });
    if (!response.ok) throw new Refusal(response.status, null);
    return response.json();
  }
}

if (!customElements.get("answer-grader")) customElements.define("answer-grader", AnswerGrader);
