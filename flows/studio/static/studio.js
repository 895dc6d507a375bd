// What the pages need beside htmx: streams, copying, and forms that send themselves.
"use strict";
document.documentElement.classList.add("scripted");

const say = (text) => { document.getElementById("told").textContent = text; };

// <div data-stream="/c/name/live">: each event is {"at": id, "html": ..., "how": "replace" | "append"}, made and escaped by the server
function follow(place) {
  const source = new EventSource(place.dataset.stream);
  source.addEventListener("part", (event) => {
    const told = JSON.parse(event.data);
    const target = document.getElementById(told.at);
    if (!target) return;
    if (told.how === "append") target.insertAdjacentHTML("beforeend", told.html);
    else target.innerHTML = told.html;
    htmx.process(target);
  });
  source.addEventListener("said", (event) => say(JSON.parse(event.data)));
  source.addEventListener("done", (event) => {
    source.close();
    const where = JSON.parse(event.data);
    if (where) location.replace(where);
  });
}

document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll("[data-stream]").forEach(follow);
});
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-sends]")) event.target.form.requestSubmit();
});
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copies]");
  if (button) {
    const text = document.getElementById(button.dataset.copies).textContent;
    navigator.clipboard.writeText(text).then(() => say(button.dataset.said || ""));
  }
  const asks = event.target.closest("[data-asks]");
  if (asks && !confirm(asks.dataset.asks)) event.preventDefault();
});
