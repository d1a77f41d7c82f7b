// Takes files that are dropped on a form. Without this file they are chosen.
const area = document.querySelector("form.drop");
const input = area.querySelector("input[type=file]");
const hasFiles = (event) => event.dataTransfer?.types.includes("Files");

area.querySelector(".drop-hint").hidden = false;
// A browser opens what is dropped beside the area in place of the page.
for (const kind of ["dragover", "drop"]) {
  document.addEventListener(kind, (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    const isOver = area.contains(event.target);
    event.dataTransfer.dropEffect = isOver ? "copy" : "none";
    area.classList.toggle("over", isOver && kind === "dragover");
    if (!isOver || kind !== "drop" || !event.dataTransfer.files.length) return;
    const first = new DataTransfer();
    first.items.add(event.dataTransfer.files[0]);
    input.files = first.files;
    area.querySelector("button").focus();
  });
}
document.addEventListener("dragleave", (event) => {
  // Only a pointer that leaves the window goes to nothing.
  if (event.relatedTarget === null) area.classList.remove("over");
});
