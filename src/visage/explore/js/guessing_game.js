// Which of the two is real? The reader and the discriminator answer the same rounds, and both are counted.
import { html } from "./plots.js";
import { faceCanvas, drawFace, uniforms } from "./grey_faces.js";
import { percent } from "./score_plots.js";

// Numbers 0 to count − 1 in an order that the seed gives.
export function shuffled(count, seed) {
  const order = Array.from({ length: count }, (_, i) => i);
  const uniform = uniforms(seed);
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor(uniform() * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

// The rounds of a game: whose face, and on which side the real one stands.
export function rounds(people, seed) {
  const sides = shuffled(people, seed + 1000);
  return shuffled(people, seed).map((person, i) => ({ person, real: sides[i] % 2 }));
}

// real: faces of people; forgers: {key, name, faces} with one face a person; judge(faces) -> scores, once networks are there.
export function guessingGame({ real, forgers, judge }) {
  const sides = [0, 1].map((side) => {
    const canvas = faceCanvas(side ? "The face on the right" : "The face on the left");
    const said = html("span", { class: "vx-name" });
    const button = html("button", { type: "button", class: "vx-guess", "data-side": side, onclick: () => guess(side) }, canvas, html("span", {}, side ? "The right one is real" : "The left one is real"));
    return { canvas, said, button, root: html("div", { class: "vx-side" }, button, said) };
  });
  const verdict = html("p", { class: "vx-guessed", "aria-live": "polite" });
  const [yours, its] = [html("b", {}), html("b", {})];
  const tally = html("table", { class: "vx-tally" }, html("tbody", {},
    html("tr", {}, html("th", { scope: "row" }, "You"), html("td", {}, yours)),
    html("tr", {}, html("th", { scope: "row" }, "The discriminator"), html("td", {}, its))));
  const next = html("button", { type: "button", class: "vx-button", "data-key": "next", onclick: () => step() }, "Next pair");
  const choice = html("select", { "aria-label": "Who makes the faces", "data-key": "forger", onchange: () => restart(Number(choice.value)) });
  forgers.forEach(({ name }, i) => choice.append(html("option", { value: i }, name)));

  let [forger, seed, at, open] = [0, 1, 0, true];
  let [asked, right, itsRight, itsAsked] = [0, 0, 0, 0];
  let order = rounds(real.length, seed);

  function faces() {
    const { person, real: side } = order[at];
    const made = forgers[forger].faces[person];
    return side ? [made, real[person]] : [real[person], made];
  }

  function show() {
    open = true;
    faces().forEach((face, side) => {
      drawFace(sides[side].canvas, face);
      sides[side].said.textContent = "";
      sides[side].button.disabled = false;
      sides[side].root.classList.remove("vx-was-real", "vx-was-made");
    });
    verdict.textContent = "One of these is the true normal face of a person, the other was made from another picture of the same person. Which is real?";
    next.disabled = true;
    count();
  }

  function count() {
    yours.textContent = asked ? `${right} of ${asked}` : "–";
    its.textContent = itsAsked ? `${itsRight} of ${itsAsked}` : "–";
    tally.dataset.yours = `${right}/${asked}`;
    tally.dataset.its = `${itsRight}/${itsAsked}`;
  }

  async function guess(side) {
    if (!open) return;
    open = false;
    const { real: truth } = order[at];
    asked += 1;
    right += Number(side === truth);
    sides.forEach((one, i) => {
      one.button.disabled = true;
      one.root.classList.add(i === truth ? "vx-was-real" : "vx-was-made");
      one.said.textContent = i === truth ? "real" : "made";
    });
    verdict.textContent = side === truth ? "Right." : "Wrong.";
    next.disabled = false;
    next.focus();
    count();
    const scores = await judge(faces()).catch(() => null);
    if (!scores || open) return;
    const its = scores[0] >= scores[1] ? 0 : 1;
    itsAsked += 1;
    itsRight += Number(its === truth);
    sides.forEach((one, i) => { one.said.textContent = `${i === truth ? "real" : "made"}: the discriminator says ${percent(scores[i])}`; });
    verdict.textContent = `${side === truth ? "Right." : "Wrong."} The discriminator prefers the ${its ? "right" : "left"} one and is ${its === truth ? "right" : "wrong"}.`;
    verdict.dataset.scores = scores.map((s) => s.toFixed(4)).join(",");
    count();
  }

  function step() {
    at += 1;
    if (at === order.length) {
      seed += 1;
      at = 0;
      order = rounds(real.length, seed);
    }
    show();
    sides[0].button.focus();
  }

  function restart(number) {
    [forger, at, asked, right, itsRight, itsAsked] = [number, 0, 0, 0, 0, 0];
    order = rounds(real.length, seed);
    show();
  }

  show();
  return html("div", { class: "vx-game" },
    html("div", { class: "vx-pair" }, ...sides.map((side) => side.root)),
    html("div", { class: "vx-stack" }, verdict, tally, html("div", { class: "vx-buttons" }, next), forgers.length > 1 ? html("label", { class: "vx-inline" }, "Made by", choice) : ""));
}
