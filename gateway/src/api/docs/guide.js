// What the guide does better with scripts: one choice of language for all tabs of all pages, and a button to copy.
"use strict";

const KEY = "scangate-language";

function choose(language) {
  for (const tab of document.querySelectorAll(`.tabs > input[value="${CSS.escape(language)}"]`)) tab.checked = true;
}

function remembered() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null; // forbidden by the reader's settings
  }
}

document.addEventListener("change", ({ target }) => {
  if (!target.matches(".tabs > input")) return;
  const before = target.getBoundingClientRect().top;
  choose(target.value);
  // The groups above may have grown: what was pressed stays under the finger.
  scrollBy(0, target.getBoundingClientRect().top - before);
  try {
    localStorage.setItem(KEY, target.value);
  } catch {
    // Then it is chosen again on the next page.
  }
});

if (remembered()) choose(remembered());

if (navigator.clipboard) {
  for (const block of document.querySelectorAll("pre")) {
    const box = document.createElement("div");
    const button = document.createElement("button");
    box.className = "code";
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(block.textContent);
      button.textContent = "Copied";
    });
    block.replaceWith(box);
    box.append(block, button);
  }
}
