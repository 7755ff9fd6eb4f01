// What pages do: play films, open their folds for print, on white, and on phones close the contents and enlarge figures.

// A film is an <img> whose frames lie below one another, in a window of one frame, with a button and a slider. It starts
// by itself where motion is welcome, rests while it is out of sight, and stands at its last frame without script.

for (const film of document.querySelectorAll(".film")) {
  const picture = film.querySelector("img");
  const button = film.querySelector("button");
  const slider = film.querySelector("input");
  const last = Number(slider.max);
  let timer = 0;
  let visible = false;
  let playing = !window.matchMedia("(prefers-reduced-motion: reduce)").matches;

  function show(frame) {
    slider.value = frame;
    picture.style.transform = `translateY(${(-100 * frame) / (last + 1)}%)`;
  }

  function next() {
    const frame = Number(slider.value);
    show(frame === last ? 0 : frame + 1);
    schedule();
  }

  function schedule() {
    clearTimeout(timer);
    if (playing && visible) timer = setTimeout(next, Number(slider.value) === last ? 2500 : 600);
  }

  function play(on) {
    playing = on;
    button.textContent = on ? "Pause" : "Play";
    schedule();
  }

  film.querySelector(".film-controls").hidden = false;
  button.addEventListener("click", () => play(!playing));
  slider.addEventListener("input", () => {
    play(false);
    show(Number(slider.value));
  });
  new IntersectionObserver(([entry]) => {
    visible = entry.isIntersecting;
    schedule();
  }).observe(film);
  if (playing) show(0);
  else show(last);
  play(playing);
}

const opened = [];
let theme;

window.addEventListener("beforeprint", () => {
  for (const fold of document.querySelectorAll("details:not([open])")) {
    fold.open = true;
    opened.push(fold);
  }
  theme = document.documentElement.dataset.theme;
  document.documentElement.dataset.theme = "light";
});

window.addEventListener("afterprint", () => {
  for (const fold of opened.splice(0)) fold.open = false;
  document.documentElement.dataset.theme = theme;
});

const results = document.getElementById("search-results");
if (results && location.protocol === "file:") {
  const note = document.createElement("p");
  note.textContent = "Opened from the disk, the search lists titles. On the web it also shows the lines that it found.";
  results.before(note);
}

// The list of contents covers a phone's page: an entry leads to its section and closes it.
document.addEventListener("click", (event) => {
  const entry = event.target.closest("dialog .page-toc a");
  if (entry) entry.closest("dialog").close();
});

// A figure opens alone, where fingers can enlarge it.
for (const picture of document.querySelectorAll(".bd-article figure img, .bd-article .cell_output img")) {
  if (picture.closest("a, .film")) continue;
  picture.style.cursor = "zoom-in";
  picture.addEventListener("click", () => window.open(picture.currentSrc, "_blank"));
}
