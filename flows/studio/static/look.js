// Keys of Look and Review: what has data-key is clicked, opened or focused by it. Texts and controls keep their own keys.
"use strict";
(() => {
  const typing = (at) => at.closest("input, select, textarea");
  const wide = matchMedia("(min-width: 60rem)");
  let current = -1;

  const opens = (details) => {
    details.open = !details.open;
    const first = details.open && details.querySelector("[data-first]");
    if (first) first.focus();
  };
  const presses = (found) => {
    if (found.matches("details")) opens(found);
    else if (found.matches("input")) found.focus();
    else found.click();
  };
  const goes = (step) => {
    const rows = [...document.querySelectorAll("article[tabindex]")];
    if (!rows.length) return;
    current = Math.min(rows.length - 1, Math.max(0, current + step));
    rows[current].focus();
    rows[current].scrollIntoView({ block: "nearest" });
  };

  document.addEventListener("keydown", (event) => {
    const at = event.target;
    if (event.key === "Escape" && typing(at)) { at.blur(); return; }
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && at.form) {
      event.preventDefault();
      at.form.requestSubmit(at.form.querySelector("button[name=decision]"));
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || typing(at)) return;
    if (event.key === "Enter" && at.closest("a, button, summary")) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (key === "j" || key === "k") { event.preventDefault(); goes(key === "j" ? 1 : -1); return; }
    const which = `[data-key="${CSS.escape(key)}"]`;
    const found = at.closest("article")?.querySelector(which) || document.querySelector(which);
    if (!found) return;
    event.preventDefault();
    presses(found);
  });
  document.addEventListener("click", (event) => { // a point of the map leads to its row
    const map = event.target.closest("[data-map]");
    if (!map || event.target.closest("a")) return;
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(map.getScreenCTM().inverse());
    location.assign(`${map.dataset.map}?x=${at.x.toFixed(1)}&y=${at.y.toFixed(1)}`);
  });
  document.addEventListener("submit", (event) => { // a key pressed twice decides once
    const form = event.target;
    if (!form.matches("[data-once]")) return;
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
  });
  addEventListener("pageshow", () => document.querySelectorAll("[data-sent]").forEach((form) => delete form.dataset.sent));
  document.addEventListener("DOMContentLoaded", () => {
    document.querySelectorAll("[data-wide-open]").forEach((details) => { details.open = wide.matches; });
  });
})();
