// Rounds of the user studies, their table, and what has been answered so far. As visage.texture.user_study makes them.
import { uniforms } from "./grey_faces.js";

export const TRUE_SKIN = "truth";
export const STUDY_COLUMNS = ["study", "rater", "seed", "trial", "person", "pose", "left", "right", "choice", "seconds", "at"];

export function shuffledBy(count, uniform) {
  const order = Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor(uniform() * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

// Study A: everybody once, half of them real, makers in turn.
export function trialsA(people, makers, seed) {
  const uniform = uniforms(seed);
  const [order, ranks, turns] = [shuffledBy(people, uniform), shuffledBy(people, uniform), shuffledBy(makers.length, uniform)];
  const real = Math.floor((people + (uniform() < 0.5 ? 1 : 0)) / 2);
  return order.map((person, i) => ({
    study: "a", person, pose: 0, left: TRUE_SKIN,
    right: ranks[i] < real ? TRUE_SKIN : makers[turns[(ranks[i] - real) % makers.length]],
  }));
}

// Study B: every pair of makers for everybody, sides and poses at random.
export function trialsB(people, poses, makers, seed) {
  const uniform = uniforms(seed);
  const found = [];
  for (let person = 0; person < people; person++) {
    for (let i = 0; i < makers.length; i++) {
      for (let j = i + 1; j < makers.length; j++) {
        const pose = Math.floor(uniform() * poses);
        const [left, right] = uniform() < 0.5 ? [makers[j], makers[i]] : [makers[i], makers[j]];
        found.push({ study: "b", person, pose, left, right });
      }
    }
  }
  return shuffledBy(found.length, uniform).map((i) => found[i]);
}

// Answers as a table; no value of ours holds a comma, but a rater's name may.
export function answerTable(answers) {
  const cell = (value) => (/[",\n]/.test(String(value)) ? `"${String(value).replaceAll('"', '""')}"` : String(value));
  return [STUDY_COLUMNS, ...answers.map((answer) => STUDY_COLUMNS.map((name) => answer[name]))].map((row) => row.map(cell).join(",")).join("\n") + "\n";
}

// Study A so far: how often each maker's halves were called real.
export function calledReal(answers, makers) {
  return [TRUE_SKIN, ...makers].map((maker) => {
    const own = answers.filter((answer) => answer.study === "a" && answer.right === maker);
    return { maker, asked: own.length, real: own.filter((answer) => answer.choice === "real").length };
  });
}

// Study B so far: how often the first of each pair was chosen over the second.
export function chosenOver(answers, makers) {
  const pairs = makers.flatMap((first, i) => makers.slice(i + 1).map((second) => [first, second]));
  return pairs.map(([first, second]) => {
    const own = answers.filter(({ study, left, right }) => study === "b" && ((left === first && right === second) || (left === second && right === first)));
    return { first, second, asked: own.length, won: own.filter((answer) => answer[answer.choice] === first).length };
  });
}
