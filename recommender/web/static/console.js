"use strict";
/* The pages work without this. It shows sliders, keeps the preview up to date, counts holds down. */

function put(text) {
  const part = new DOMParser().parseFromString(text, "text/html");
  for (const fresh of part.querySelectorAll("[data-into]")) {
    const place = document.getElementById(fresh.dataset.into);
    if (!place) continue;
    const open = new Set([...place.querySelectorAll("details[open]")].map((one) => one.dataset.key));
    place.replaceChildren(...fresh.childNodes);
    for (const one of place.querySelectorAll("details")) if (open.has(one.dataset.key)) one.open = true;
  }
}

/* One request at a time; what happened meanwhile is asked for once, at the end. */
function latest(address) {
  let busy = false, again = false;
  return async function ask() {
    if (busy) { again = true; return; }
    busy = true;
    try {
      do {
        again = false;
        const answer = await fetch(address(), { credentials: "same-origin" });
        if (answer.redirected) { location.reload(); return; }
        if (answer.ok) put(await answer.text());
      } while (again);
    } finally { busy = false; }
  };
}

for (const form of document.querySelectorAll("form[data-preview], form[data-dials]")) {
  const query = () => new URLSearchParams(new FormData(form));
  const preview = form.dataset.preview ? latest(() => `${form.dataset.preview}?${query()}`) : () => {};
  const reach = form.dataset.reach ? latest(() => `${form.dataset.reach}?${query()}`) : () => {};
  let later = 0;
  const changed = () => {
    preview();
    clearTimeout(later);
    later = setTimeout(reach, 400);
  };
  for (const slide of form.querySelectorAll("input[data-of]")) {
    const number = document.getElementById(slide.dataset.of);
    const mark = () => {
      slide.setAttribute("aria-valuetext", number.value);
      slide.closest(".dial").classList.toggle("changed", Number(number.value) !== Number(number.dataset.live));
    };
    slide.hidden = false;
    slide.addEventListener("input", () => {
      number.value = Number(slide.value).toFixed(number.dataset.digits ?? (slide.step >= 1 ? 0 : 2));
      mark();
      changed();
    });
    number.addEventListener("input", () => {
      const value = Number(number.value.replace(",", "."));
      if (number.value.trim() === "" || Number.isNaN(value)) return;
      slide.value = value;
      mark();
      changed();
    });
  }
  for (const one of form.querySelectorAll("select, input[data-watch], textarea")) one.addEventListener("input", changed);
  for (const one of form.querySelectorAll("[data-plain]")) one.hidden = true;
}

for (const form of document.querySelectorAll("form[data-auto]")) {
  for (const one of form.querySelectorAll("[data-plain]")) one.hidden = true;
  form.addEventListener("change", async () => {
    const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)), redirect: "manual" });
    const status = document.getElementById("status");
    if (status) status.textContent = answer.type === "opaqueredirect" ? `Saved: ${form.dataset.auto}.` : "This was not saved; load the page again.";
  });
}

for (const one of document.querySelectorAll("[data-again]")) {
  const ask = async () => {
    const answer = await fetch(one.dataset.again, { credentials: "same-origin" });
    if (answer.redirected) { location.reload(); return; }
    const text = answer.ok ? await answer.text() : "";
    const busy = one.contains(document.activeElement);
    if (text && !(busy && text.includes("data-more"))) put(text);
    if (!answer.ok || text.includes("data-more")) setTimeout(ask, 1000);
  };
  setTimeout(ask, 1000);
}

/* Another story chosen: its words, unless somebody wrote other ones. */
for (const select of document.querySelectorAll("select[data-fill]")) {
  let last = select.selectedOptions[0];
  select.addEventListener("change", () => {
    const next = select.selectedOptions[0];
    for (const name of ["title", "body"]) {
      const field = document.getElementById(name);
      if (field.value !== "" && field.value !== last.dataset[name]) continue;
      field.value = next.dataset[name];
      field.dispatchEvent(new Event("input"));
    }
    last = next;
  });
}

const spoken = new Set([120, 60, 10]);
for (const one of document.querySelectorAll("time[data-until]")) {
  const tick = () => {
    const left = Math.max(0, Math.round((Date.parse(one.dateTime) - Date.now()) / 1000));
    one.textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
    const status = document.getElementById("status");
    if (status && spoken.has(left)) status.textContent = `${left} seconds left to cancel.`;
    if (left > 0) setTimeout(tick, 1000);
  };
  tick();
}

const faults = document.getElementById("faults");
if (faults) faults.focus();
