// What the site makes of the results: the sum of the best marks.
const best = new Map();
const total = document.getElementById("total");
document.addEventListener("answer-graded", ({ detail }) => {
  best.set(detail.itemId, Math.max(detail.result.mark, best.get(detail.itemId) ?? 0));
  total.textContent = `${[...best.values()].reduce((sum, mark) => sum + mark)} marks for ${best.size} of 2 questions.`;
});
document.addEventListener("answer-error", ({ detail }) => {
  total.textContent = `${detail.itemId}: ${detail.message}`;
});
