// Add a button to each code block that copies it. Of a console block, copy the commands only.

"use strict";

function copied(block) {
  const text = block.querySelector("pre").textContent;
  if (!block.closest(".highlight-console")) return text;
  const lines = text.split("\n").filter((line) => /^[$>] /.test(line));
  return lines.map((line) => line.slice(2) + "\n").join("");
}

document.addEventListener("DOMContentLoaded", () => {
  if (!navigator.clipboard) return; // the page came over plain HTTP
  for (const block of document.querySelectorAll("div.highlight")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(copied(block));
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
    block.append(button);
  }
});
