// Follows a batch while it is graded, and shows the page anew when it is done. Without this file the page reloads by itself.
const bar = document.getElementById("progress");
const figures = document.getElementById("figures");
const status = document.getElementById("status");
// How often progress is said aloud from the first row to the last.
const TIMES_SAID = 10;

const events = new EventSource(bar.dataset.events);
let said = -1;
events.addEventListener("job", (event) => {
  const job = JSON.parse(event.data);
  if (job.state !== "queued" && job.state !== "running") {
    events.close();
    location.reload();
    return;
  }
  bar.value = job.rows_done;
  const done = figures.dataset.rows.replace("{done}", job.rows_done).replace("{rows}", job.rows);
  figures.querySelector(".done").textContent = done;
  figures.querySelector(".rate").textContent = job.rows_per_second ? figures.dataset.rate.replace("{rate}", job.rows_per_second) : "";
  figures.querySelector(".left").textContent =
    job.seconds_left === null ? "" : figures.dataset.left.replace("{seconds}", Math.round(job.seconds_left));
  const times = Math.floor((job.rows_done / job.rows) * TIMES_SAID);
  if (times !== said) status.textContent = done;
  said = times;
});
