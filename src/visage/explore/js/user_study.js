// The user studies of appendix II as an instrument: a question at a time, no hint, answers kept in this browser.
import { html } from "./plots.js";
import { choice } from "./face_controls.js";
import { TRUE_SKIN, trialsA, trialsB, answerTable, calledReal, chosenOver } from "./study_trials.js";

const KEPT = "visage-user-study";
const PAUSE = 350; // ms of nothing between two questions, so that one press is one answer
const STUDY_NAMES = { a: "A: real or made?", b: "B: which is more real?" };
const ASKED = {
  a: "Has the right half this person’s own skin, or is it made?",
  b: "Which face looks more real?",
};
const WORDS_A = "Each face is cut in two, and its halves have changed places, so that the cheeks meet in the middle. The left half always has the person’s own skin. The right half has it too in half of the questions; in the others a method made it from a blurred photograph. Go by your first impression; nothing says how you do until the round is over.";
const WORDS_B = "Two heads of the same shape, in the same light, with different skin. Choose the one that looks more real, even where it is close to a guess.";
const ANSWERS = { a: [["real", "Own skin"], ["made", "Made"]], b: [["left", "The left one"], ["right", "The right one"]] };

function remembered() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEPT));
    if (kept && typeof kept.rater === "string" && Array.isArray(kept.answers)) return kept;
  } catch { /* private windows and broken entries begin anew */ }
  return { rater: crypto.getRandomValues(new Uint32Array(1))[0].toString(16).padStart(8, "0"), answers: [] };
}

function keep(state) {
  try {
    localStorage.setItem(KEPT, JSON.stringify(state));
  } catch { /* then they last as long as the page */ }
}

async function sheetOf(url) {
  return createImageBitmap(await (await fetch(url)).blob());
}

function render({ model, el }) {
  const words = model.get("words");
  const kept = remembered();
  const fixed = model.get("seed"); // -1 in a study; a number repeats its rounds
  const [height, width] = [...words.half];
  const [tall, wide] = [...words.face];
  const made = words.halves.filter((name) => name !== TRUE_SKIN);
  const name = (maker) => words.names[maker];
  let [study, trials, at, seed, shown, open, sheets, rounds, gone] = ["a", [], 0, 0, 0, false, null, 0, false];

  const share = () => {
    keep(kept);
    model.set("answers", [...kept.answers]);
    model.save_changes?.();
  };

  const status = html("p", { class: "vx-status", role: "status" }, "Loading the pictures …");
  const pick = choice("Which study", Object.keys(STUDY_NAMES), STUDY_NAMES, (value) => { study = value; welcome(); });
  const explain = html("p", { class: "vx-study-words" });
  const begin = html("button", { type: "button", class: "vx-button vx-go", "data-key": "begin", disabled: true, onclick: () => start() }, "Begin");
  const canvases = [0, 1].map((side) => html("canvas", { role: "img", "aria-label": `Picture on the ${side ? "right" : "left"}`, "data-side": side }));
  const pair = html("div", { class: "vx-pictures" }, ...canvases);
  const question = html("p", { class: "vx-question", "aria-live": "polite" });
  const buttons = [0, 1].map((side) => html("button", { type: "button", class: "vx-button vx-answer", "data-key": side ? "second" : "first", onclick: () => answer(side) }));
  const progress = html("progress", { "aria-label": "Questions answered in this round", max: 1, value: 0 });
  const counter = html("span", { class: "vx-small" });
  const stop = html("button", { type: "button", class: "vx-button", "data-key": "stop", onclick: () => welcome() }, "Stop");
  const stage = html("div", { class: "vx-study-stage", tabindex: 0, role: "group", "aria-label": "Question. Left and right arrow keys answer.", hidden: true },
    pair, question, html("div", { class: "vx-answers-row" }, ...buttons),
    html("div", { class: "vx-round" }, progress, counter, stop));
  const outcome = html("div", { class: "vx-outcome" });
  const save = html("a", { class: "vx-button", "data-key": "csv", download: "user_study.csv", href: "#", role: "button" }, "Download my answers (CSV)");
  const forget = html("button", { type: "button", class: "vx-button", "data-key": "forget", onclick: () => forgetAll() }, "Forget my answers");
  const own = html("p", { class: "vx-small" });
  const records = html("div", { class: "vx-records" }, own, html("div", { class: "vx-buttons" }, save, forget));

  save.addEventListener("click", () => {
    if (save.dataset.url) URL.revokeObjectURL(save.dataset.url);
    save.dataset.url = URL.createObjectURL(new Blob([answerTable(kept.answers)], { type: "text/csv" }));
    save.href = save.dataset.url;
  });
  stage.addEventListener("keydown", (event) => {
    const side = { ArrowLeft: 0, ArrowRight: 1 }[event.key];
    if (side === undefined || event.repeat) return;
    event.preventDefault();
    answer(side);
  });

  el.classList.add("vx", "vx-study");
  el.append(pick.root, explain, html("div", { class: "vx-buttons" }, begin), stage, outcome, records, status);

  function count() {
    const n = kept.answers.length;
    own.textContent = n ? `${n} ${n === 1 ? "answer is" : "answers are"} kept in this browser, and nowhere else.` : "Answers are kept in this browser, and nowhere else, until you download them.";
    save.hidden = forget.hidden = !n;
  }

  function welcome() {
    [open, trials] = [false, []];
    stage.hidden = true;
    pick.show(study);
    pick.root.hidden = explain.hidden = begin.hidden = false;
    explain.textContent = study === "a" ? WORDS_A : WORDS_B;
    begin.textContent = kept.answers.some((one) => one.study === study) ? "Another round" : "Begin";
    outcome.replaceChildren(...(kept.answers.some((one) => one.study === study) ? results() : []));
    el.dataset.state = "welcome";
    count();
  }

  function start() {
    seed = fixed >= 0 ? fixed + rounds : crypto.getRandomValues(new Uint32Array(1))[0];
    rounds += 1;
    trials = study === "a" ? trialsA(words.people, made, seed) : trialsB(words.subjects, words.poses, words.faces, seed);
    at = 0;
    pick.root.hidden = explain.hidden = begin.hidden = true;
    outcome.replaceChildren();
    stage.hidden = false;
    pair.classList.toggle("vx-halves", study === "a");
    question.textContent = ASKED[study];
    buttons.forEach((button, side) => button.replaceChildren(html("kbd", {}, side ? "→" : "←"), ANSWERS[study][side][1]));
    show();
    stage.focus({ preventScroll: true });
    stage.scrollIntoView?.({ block: "nearest" });
  }

  function tile(canvas, sheet, row, column, [h, w]) {
    [canvas.width, canvas.height] = [w, h];
    canvas.getContext("2d").drawImage(sheet, column * w, row * h, w, h, 0, 0, w, h);
  }

  function paint(targets, trial) {
    if (trial.study === "a") {
      tile(targets[0], sheets.halves, trial.person, 0, [height, width]);
      tile(targets[1], sheets.halves, trial.person, 1 + words.halves.indexOf(trial.right), [height, width]);
    } else {
      [trial.left, trial.right].forEach((maker, side) => tile(targets[side], sheets.faces, trial.person * words.poses + trial.pose, words.faces.indexOf(maker), [tall, wide]));
    }
  }

  function show() {
    paint(canvases, trials[at]);
    pair.classList.remove("vx-blank");
    progress.max = trials.length;
    progress.value = at;
    counter.textContent = `Question ${at + 1} of ${trials.length}`;
    el.dataset.state = "asking";
    el.dataset.trial = at;
    shown = performance.now();
    open = true;
  }

  function answer(side) {
    if (!open) return;
    open = false;
    const seconds = Number(((performance.now() - shown) / 1000).toFixed(3));
    kept.answers.push({ ...trials[at], rater: kept.rater, seed, trial: at, choice: ANSWERS[study][side][0], seconds, at: new Date().toISOString() });
    share();
    count();
    at += 1;
    el.dataset.state = "between";
    pair.classList.add("vx-blank");
    const round = trials;
    setTimeout(() => {
      if (gone || round !== trials) return; // stopped meanwhile
      if (at < trials.length) show();
      else finish();
    }, PAUSE);
  }

  function finish() {
    const answered = trials;
    welcome();
    outcome.append(review(answered, kept.answers.slice(-answered.length)));
    el.dataset.state = "done";
    status.textContent = "The round is over.";
    begin.focus({ preventScroll: true });
  }

  function bar(part, whole) {
    const share = whole ? part / whole : 0;
    const fill = html("i", {});
    fill.style.width = `${(100 * share).toFixed(1)}%`;
    return html("span", { class: "vx-share", "aria-hidden": "true" }, fill);
  }

  function results() {
    const rows = study === "a"
      ? calledReal(kept.answers, made).map(({ maker, asked, real }) => [name(maker), real, asked])
      : chosenOver(kept.answers, words.faces).map(({ first, second, asked, won }) => [`${name(first)} over ${name(second)}`, won, asked]);
    const body = rows.map(([text, part, whole]) => html("tr", {}, html("th", { scope: "row" }, text), html("td", {}, bar(part, whole)), html("td", { class: "vx-count" }, whole ? `${part} of ${whole}` : "not asked")));
    const caption = study === "a" ? "What you called their own skin, in all rounds" : "What you chose, in all rounds";
    return [html("table", { class: "vx-tally" }, html("caption", {}, caption), html("tbody", {}, ...body))];
  }

  function review(round, answers) {
    const figures = round.map((trial, i) => {
      const small = [0, 1].map((side) => html("canvas", { role: "img", "aria-label": `Question ${i + 1}, picture on the ${side ? "right" : "left"}` }));
      paint(small, trial);
      const right = study === "a" ? (answers[i].choice === "real") === (trial.right === TRUE_SKIN) : null;
      const said = ANSWERS[study].find(([key]) => key === answers[i].choice)[1].toLowerCase();
      const what = study === "a" ? name(trial.right) : `${name(trial.left)}, ${name(trial.right)}`;
      return html("figure", { class: `vx-seen${right === false ? " vx-missed" : ""}` }, html("div", { class: `vx-pictures${study === "a" ? " vx-halves" : ""}` }, ...small),
        html("figcaption", {}, html("strong", {}, what), html("span", {}, `you: ${said}`)));
    });
    return html("div", { class: "vx-review" }, html("p", { class: "vx-small" }, study === "a" ? "What was on the right, and what you said:" : "What was on the left and on the right, and what you said:"), html("div", { class: "vx-review-grid" }, ...figures));
  }

  function forgetAll() {
    kept.answers = [];
    rounds = 0;
    share();
    welcome();
    status.textContent = "Your answers are forgotten.";
  }

  share();
  welcome();
  (async () => {
    const [halves, faces] = await Promise.all([sheetOf(model.get("halves")), sheetOf(model.get("faces"))]);
    sheets = { halves, faces };
    begin.disabled = false;
    status.textContent = "";
    el.dataset.ready = "true";
  })().catch((error) => {
    status.textContent = `The pictures could not be shown: ${error.message}`;
    status.classList.add("vx-wrong");
  });
  return () => { gone = true; };
}

export default { render };
