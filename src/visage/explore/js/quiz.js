// Brings a quiz's form to life: check, explanation, score. The form itself is written by visage.explore.quiz.

const FEW = ["Not yet.", "A beginning.", "A beginning.", "Nearly.", "Nearly all.", "All right."];

// Whether exactly the right answers are chosen.
export function isRight(chosen, right) {
  return chosen.length === right.length && chosen.every((value) => right.includes(value));
}

// What the status line says of results: true, false, or null for a question that is still open.
export function scoreWords(results) {
  const [right, open] = [results.filter((one) => one === true).length, results.filter((one) => one === null).length];
  const count = `${right} of ${results.length} right`;
  if (open === results.length) return `${results.length} questions.`;
  if (open) return `${count}, ${open} to go.`;
  return `${count}. ${FEW[Math.round((5 * right) / results.length)]}`;
}

export function enliven(form) {
  const questions = [...form.querySelectorAll(".vx-quiz-question")];
  const dots = [...form.querySelectorAll(".vx-quiz-dot")];
  const score = form.querySelector(".vx-quiz-score");
  const again = form.querySelector("button[type=reset]");
  const results = questions.map(() => null);
  const parts = questions.map((question) => ({
    question,
    inputs: [...question.querySelectorAll("input")],
    button: question.querySelector("button"),
    verdict: question.querySelector(".vx-quiz-verdict"),
    why: question.querySelector(".vx-quiz-why"),
  }));

  function show() {
    score.textContent = scoreWords(results);
    dots.forEach((dot, i) => { dot.dataset.result = results[i] === null ? "" : results[i] ? "right" : "wrong"; });
    again.hidden = results.every((one) => one === null);
    form.dataset.score = results.filter((one) => one === true).length;
  }

  function open({ question, inputs, button, verdict, why }, i) {
    results[i] = null;
    question.dataset.result = "";
    for (const input of inputs) input.closest("label").dataset.mark = "";
    button.hidden = false;
    button.disabled = true;
    button.textContent = inputs[0].type === "radio" ? "Check" : "Check both";
    verdict.textContent = "";
    why.hidden = true;
    why.open = false;
  }

  function check({ question, inputs, button, verdict, why }, i) {
    const chosen = inputs.filter((input) => input.checked);
    if (!chosen.length || results[i] !== null) return;
    const right = inputs.filter((input) => "right" in input.dataset);
    results[i] = isRight(chosen.map((input) => input.value), right.map((input) => input.value));
    question.dataset.result = results[i] ? "right" : "wrong";
    for (const input of inputs) input.closest("label").dataset.mark = right.includes(input) ? "right" : input.checked ? "wrong" : "";
    button.hidden = true;
    why.hidden = false;
    why.open = true;
    verdict.textContent = results[i] ? "Right." : right.length > 1 ? "Not quite. These two:" : "Not quite. It is:";
    why.querySelector("summary").focus({ preventScroll: true }); // the button is gone: go on from here
    show();
  }

  parts.forEach((one, i) => {
    for (const input of one.inputs) {
      input.addEventListener("change", () => {
        if (results[i] !== null) open(one, i); // a second thought begins anew
        one.button.disabled = !one.inputs.some((other) => other.checked);
        show();
      });
    }
    one.button.addEventListener("click", (event) => { event.preventDefault(); check(one, i); });
    open(one, i);
  });
  form.addEventListener("submit", (event) => { // Enter in an answer checks its question
    event.preventDefault();
    const at = parts.findIndex(({ question }) => question.contains(document.activeElement));
    if (at >= 0) check(parts[at], at);
  });
  form.addEventListener("reset", () => {
    requestAnimationFrame(() => {
      parts.forEach(open);
      show();
      parts[0].inputs[0].focus();
    });
  });
  show();
  form.dataset.ready = "true";
}

function render({ model, el }) {
  el.innerHTML = model.get("form");
  enliven(el.querySelector("form"));
}

export default { render };
